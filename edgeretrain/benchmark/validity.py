"""What makes the figures doubtful: warnings, one sentence each."""

from edgeretrain.benchmark.statistics import WIDE, is_wide
from edgeretrain.records.benchmark import Environment, MachineState, Measurement

BUSY = 0.05
"""Share of all CPU time that other programs may take before that is worth a warning."""

STOLEN = 0.02
"""Share of all CPU time that a hypervisor may give to other guests before that is worth a warning."""

HOT_C = 80.0
"""A Raspberry Pi begins to slow down at 80 degrees Celsius (its documentation, "Frequency management")."""

# Bits of the Raspberry Pi's get_throttled (its documentation, "vcgencmd"): now, and 16 bits up: since the start.
_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = (1 << bit for bit in range(4))
_SLOW = _CAPPED | _THROTTLED | _SOFT_LIMIT


def machine_warnings(environment: Environment) -> list[str]:
    """What was wrong with the machine while it measured."""
    warnings = []
    if environment.emulation:
        warnings.append(
            f"This CPU is emulated ({environment.emulation}): the times say nothing about any device. Sizes are right."
        )
    governors = environment.governors
    if governors and governors != ("performance",):
        warnings.append(
            f"The CPU governor is {', '.join(governors)}, not performance: the clock may have been below its highest. "
            "Set it with: echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    warnings += _load_warnings(environment)
    warnings += _heat_warnings(environment.before, environment.after)
    return warnings


def _load_warnings(environment: Environment) -> list[str]:
    warnings = []
    before, during = environment.busy_before, environment.busy_by_others
    if before is not None and before > BUSY:
        warnings.append(f"Other programs kept the CPU {before:.0%} busy just before. End them and measure again.")
    if during is not None and during > BUSY:
        warnings.append(f"Other programs took {during:.0%} of the CPU while measuring. End them and measure again.")
    load = environment.before.load_average
    if before is None and load is not None and load > BUSY * environment.cores:
        warnings.append(f"The load average was {load:g} before the start. End other programs and measure again.")
    stolen = environment.stolen
    if stolen is not None and stolen > STOLEN:
        warnings.append(f"The hypervisor gave {stolen:.0%} of the CPU to other guests while measuring.")
    return warnings


def _heat_warnings(before: MachineState, after: MachineState) -> list[str]:
    warnings = []
    flags = [int(state.throttled or "0", 16) for state in (before, after)]
    happened = flags[0] & 0xF | flags[1] & 0xF | (flags[1] & ~flags[0]) >> 16
    if happened & _SLOW:
        warnings.append(f"The board throttled its CPU while measuring (flags {after.throttled}). Cool it.")
    elif flags[0] >> 16 & _SLOW:
        warnings.append(
            f"The board throttled its CPU before, since it started (flags {before.throttled}). Keep it cool."
        )
    if happened & _UNDER_VOLTAGE:
        warnings.append(f"The power supply was too weak while measuring (flags {after.throttled}). Use a stronger one.")
    if (after.throttle_count or 0) > (before.throttle_count or 0):
        warnings.append("The CPU slowed itself down because of heat while measuring. Cool it.")
    hottest = max(state.temperature_c or 0 for state in (before, after))
    if hottest >= HOT_C:
        warnings.append(f"The CPU was at {hottest:.0f} °C: it may have been slowed down. Cool it.")
    return warnings


def result_warnings(result: Measurement, *, cores: int, runs: int) -> list[str]:
    """What is doubtful about one result.

    Args:
        cores: that this process may use.
        runs: that were asked for, at least.
    """
    warnings = []
    if result.threads > cores:
        warnings.append(f"More threads than usable cores ({cores}): they wait for each other.")
    for statistics, what in ((result.inference_ms, "inference"), (result.end_to_end_ms, "end to end")):
        if statistics is None:
            continue
        if is_wide(statistics):
            warnings.append(f"Wide spread, {what}: p90 is more than {WIDE:g} times the median.")
        if statistics.runs < runs:
            warnings.append(f"Fewer runs than asked, {what}: the time limit came first.")
    return warnings
