"""What a machine says about itself, out of made-up /proc and /sys, and what is warned about."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.garden import put

from benchmark.made_up import environment, result, state, times
from edgeretrain.benchmark.environment import Machine
from edgeretrain.benchmark.validity import machine_warnings, result_warnings
from edgeretrain.records.benchmark import MachineState

PI_CPUINFO = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n"
X86_CPUINFO = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) N100\n"
CPU = "sys/devices/system/cpu"


def write(root: Path, files: dict[str, str]) -> Machine:
    for path, text in files.items():
        put(root / path, text.encode())
    return Machine(root, vcgencmd=lambda: None)


@pytest.fixture
def raspberry(tmp_path: Path) -> Machine:
    machine = write(
        tmp_path,
        {
            "proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.4\0",
            "proc/cpuinfo": PI_CPUINFO,
            "proc/meminfo": "MemTotal:        3884364 kB\nMemAvailable:    3000000 kB\n",
            "proc/loadavg": "0.52 0.40 0.30 1/200 999\n",
            "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian"\n',
            f"{CPU}/cpu0/cpufreq/scaling_governor": "ondemand\n",
            f"{CPU}/cpu1/cpufreq/scaling_governor": "ondemand\n",
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "51608\n",
            "sys/class/thermal/thermal_zone1/type": "battery\n",
            "sys/class/thermal/thermal_zone1/temp": "99000\n",
        },
    )
    return Machine(machine._root, vcgencmd=lambda: "throttled=0x50000\n")


def test_a_raspberry_pi(raspberry: Machine) -> None:
    facts = raspberry.facts()
    assert facts.machine == facts.board == "Raspberry Pi 4 Model B Rev 1.4"
    assert facts.os == "Debian GNU/Linux 13 (trixie)"
    assert facts.governors == ("ondemand",)
    assert facts.memory_bytes == 3884364 * 1024
    assert raspberry.memory("MemAvailable:") == 3000000 * 1024
    expected = MachineState(temperature_c=51.608, throttled="0x50000", throttle_count=None, load_average=0.52)
    assert raspberry.state() == expected


def test_the_flags_without_vcgencmd(tmp_path: Path) -> None:
    machine = write(tmp_path, {"sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n"})
    assert machine.throttled() == "0x50005"


def test_a_pc(tmp_path: Path) -> None:
    machine = write(
        tmp_path,
        {
            "proc/cpuinfo": X86_CPUINFO,
            "sys/class/hwmon/hwmon0/name": "nvme\n",
            "sys/class/hwmon/hwmon0/temp1_input": "80000\n",
            "sys/class/hwmon/hwmon1/name": "coretemp\n",
            "sys/class/hwmon/hwmon1/temp1_input": "40000\n",
            "sys/class/hwmon/hwmon1/temp2_input": "43000\n",
            f"{CPU}/cpu0/thermal_throttle/core_throttle_count": "3\n",
            f"{CPU}/cpu1/thermal_throttle/core_throttle_count": "4\n",
        },
    )
    assert machine.facts().machine == machine.cpu() == "Intel(R) N100"
    assert machine.board() is None and machine.governors() is None
    assert machine.temperature() == 43.0
    assert machine.throttle_count() == 7


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, vcgencmd=lambda: None)
    assert machine.facts().machine
    assert set(vars(machine.state()).values()) == {None}
    assert machine.ticks() is None and machine.memory("MemTotal:") is None


def test_garbage_is_no_figure(tmp_path: Path) -> None:
    zone = "sys/class/thermal/thermal_zone0"
    machine = write(tmp_path, {f"{zone}/type": "cpu", f"{zone}/temp": "hot", "proc/stat": "cpu"})
    assert machine.temperature() is None and machine.ticks() is None
    assert Machine(tmp_path, vcgencmd=lambda: "VCHI initialization failed\n").throttled() is None


def test_cpu_time(tmp_path: Path) -> None:
    second = os.sysconf("SC_CLK_TCK")
    numbers = " ".join(str(number * second) for number in (10, 1, 5, 100, 7, 2, 3, 4))
    ticks = write(tmp_path, {"proc/stat": f"cpu  {numbers} 0 0\ncpu0 1 1 1 1\n"}).ticks()
    assert ticks is not None
    assert (ticks.busy, ticks.stolen, ticks.total) == (21, 4, 132)


@pytest.mark.parametrize(
    ("architecture", "cpuinfo", "found"),
    [
        ("aarch64", PI_CPUINFO, None),
        ("x86_64", X86_CPUINFO, None),
        ("aarch64", X86_CPUINFO, "qemu"),  # the host's shines through
        ("armv7l", X86_CPUINFO, "qemu"),
        ("x86_64", PI_CPUINFO, "qemu"),
        ("aarch64", PI_CPUINFO.replace("0x41", "0x00"), "qemu"),
        (
            "aarch64",
            f"processor: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS\t: 100.00\n{PI_CPUINFO}",
            "qemu",
        ),
        ("x86_64", X86_CPUINFO.replace("Intel(R) N100", "QEMU TCG CPU version 2.5+"), "qemu"),
        ("x86_64", X86_CPUINFO.replace("GenuineIntel", "VirtualApple"), "Rosetta"),
        ("arm64", "", None),
    ],
)
def test_emulation(tmp_path: Path, architecture: str, cpuinfo: str, found: str | None) -> None:
    assert write(tmp_path, {"proc/cpuinfo": cpuinfo}).emulation(architecture) == found


def test_the_parent_shows_the_emulator(tmp_path: Path) -> None:
    line = "/usr/bin/qemu-aarch64-static\0/bin/bash\0"
    assert write(tmp_path, {f"proc/{os.getppid()}/cmdline": line}).emulation("aarch64") == "qemu"


# Warnings


def test_nothing_to_warn_about() -> None:
    assert machine_warnings(environment()) == []
    unknown = MachineState(temperature_c=None, throttled=None, throttle_count=None, load_average=None)
    nothing = {"busy_before": None, "busy_by_others": None, "stolen": None, "governors": None}
    assert machine_warnings(environment(before=unknown, after=unknown, **nothing)) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"governors": ("ondemand", "performance")}, "governor is ondemand, performance"),
        ({"emulation": "qemu"}, "emulated (qemu)"),
        ({"busy_before": 0.3}, "30% busy just before"),
        ({"busy_by_others": 0.12}, "took 12% of the CPU while measuring"),
        ({"stolen": 0.1}, "hypervisor gave 10%"),
        ({"busy_before": None, "before": state(load_average=1.5)}, "load average was 1.5"),
        ({"after": state(throttled="0x4")}, "throttled its CPU while measuring (flags 0x4)"),
        ({"after": state(throttled="0x40000")}, "throttled its CPU while measuring"),
        ({"before": state(throttled="0x40000"), "after": state(throttled="0x40000")}, "throttled its CPU before"),
        ({"after": state(throttled="0x10000")}, "power supply was too weak"),
        ({"after": state(throttle_count=3)}, "slowed itself down because of heat"),
        ({"after": state(temperature_c=83.2)}, "was at 83 °C"),
    ],
)
def test_each_fault_is_told_once(changed: dict[str, Any], words: str) -> None:
    (warning,) = machine_warnings(environment(**changed))
    assert words in warning
    assert warning[-1] in ".r"  # a sentence, or a command to run


def test_one_result() -> None:
    good = result(threads=4, end_to_end_ms=None)
    assert result_warnings(good, cores=4, runs=50) == []
    (threads,) = result_warnings(good, cores=2, runs=50)
    assert "usable cores (2)" in threads
    (few,) = result_warnings(good, cores=4, runs=51)
    assert "Fewer runs" in few
    (wide,) = result_warnings(replace(good, end_to_end_ms=times(p90=12.1)), cores=4, runs=50)
    assert "Wide spread, end to end" in wide
