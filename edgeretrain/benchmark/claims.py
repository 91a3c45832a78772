"""What weakens the claim of the figures: warnings, one sentence each."""

from typing import Any

from edgeretrain.benchmark.statistics import WIDE, is_wide

BUSY = 0.05
"""Share of all CPU time that other programs may take before that is worth a warning."""

STOLEN = 0.02
"""Share of all CPU time that a hypervisor may give to other guests before that is worth a warning."""

HOT_C = 80.0
"""A Raspberry Pi begins to slow down at 80 degrees Celsius (its documentation, "Frequency management")."""

# Bits of the Raspberry Pi's get_throttled (its documentation, "vcgencmd"): now, and 16 bits up: since the start.
_UNDER_VOLTAGE, _CAPPED, _THROTTLED, _SOFT_LIMIT = (1 << bit for bit in range(4))
_SLOW = _CAPPED | _THROTTLED | _SOFT_LIMIT


def machine_warnings(environment: dict[str, Any]) -> list[str]:
    """What was wrong with the machine while it measured; `environment` as `benchmark` returns it."""
    told = []
    if environment["emulation"]:
        told.append(
            f"This CPU is emulated ({environment['emulation']}): the times say nothing about any device. "
            "Sizes are right."
        )
    governors = environment["governors"]
    if governors and governors != ["performance"]:
        told.append(
            f"The CPU governor is {', '.join(governors)}, not performance: the clock may have been below its highest. "
            "Set it with: echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    told += _load_warnings(environment)
    told += _heat_warnings(environment["before"], environment["after"])
    return told


def _load_warnings(environment: dict[str, Any]) -> list[str]:
    told = []
    before, during = environment["busy_before"], environment["busy_by_others"]
    if before is not None and before > BUSY:
        told.append(f"Other programs kept the CPU {before:.0%} busy just before. End them and measure again.")
    if during is not None and during > BUSY:
        told.append(f"Other programs took {during:.0%} of the CPU while measuring. End them and measure again.")
    load = environment["before"]["load_average"]
    if before is None and load is not None and load > BUSY * environment["cores"]:
        told.append(f"The load average was {load:g} before the start. End other programs and measure again.")
    stolen = environment["stolen"]
    if stolen is not None and stolen > STOLEN:
        told.append(f"The hypervisor gave {stolen:.0%} of the CPU to other guests while measuring.")
    return told


def _heat_warnings(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    told = []
    flags = [int(state["throttled"] or "0", 16) for state in (before, after)]
    happened = flags[0] & 0xF | flags[1] & 0xF | (flags[1] & ~flags[0]) >> 16
    if happened & _SLOW:
        told.append(f"The board throttled its CPU while measuring (flags {after['throttled']}). Cool it.")
    elif flags[0] >> 16 & _SLOW:
        told.append(
            f"The board throttled its CPU before, since it started (flags {before['throttled']}). Keep it cool."
        )
    if happened & _UNDER_VOLTAGE:
        told.append(f"The power supply was too weak while measuring (flags {after['throttled']}). Use a stronger one.")
    if (after["throttle_count"] or 0) > (before["throttle_count"] or 0):
        told.append("The CPU slowed itself down because of heat while measuring. Cool it.")
    hottest = max(state["temperature_c"] or 0 for state in (before, after))
    if hottest >= HOT_C:
        told.append(f"The CPU was at {hottest:.0f} °C: it may have been slowed down. Cool it.")
    return told


def result_warnings(result: dict[str, Any], *, cores: int, asked: int) -> list[str]:
    """What is doubtful about one result.

    Args:
        cores: that this process may use.
        asked: the runs that there should be at least.
    """
    told = []
    if result["threads"] > cores:
        told.append(f"More threads than usable cores ({cores}): they wait for each other.")
    for name, what in (("inference_ms", "inference"), ("end_to_end_ms", "end to end")):
        figures = result[name]
        if figures is None:
            continue
        if is_wide(figures):
            told.append(f"Wide spread, {what}: p90 is more than {WIDE:g} times the median.")
        if figures["runs"] < asked:
            told.append(f"Fewer runs than asked, {what}: the time limit came first.")
    return told
