"""The machine that the figures are measured on.

Everything is read below a root, `/` unless a test says otherwise; what a system does not tell is None.
"""

import contextlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgeretrain.records.benchmark import MachineFacts, MachineState
from edgeretrain.threads import available_cores

ROOT = Path("/")

_OTHER_VENDORS = {  # what only stands in /proc/cpuinfo of that architecture
    "x86": ("GenuineIntel", "AuthenticAMD", "HygonGenuine", "CentaurHauls"),
    "arm": ("CPU implementer",),
}
_CPU_ZONES = ("cpu", "soc", "x86_pkg_temp", "acpitz")
_CPU_SENSORS = ("coretemp", "k10temp", "cpu_thermal", "zenpower")


def _ask_vcgencmd() -> str | None:
    """`throttled=0x50000` from the Raspberry Pi's firmware tool, where there is one."""
    tool = shutil.which("vcgencmd")
    if tool is None:
        return None
    try:
        return subprocess.run([tool, "get_throttled"], capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return None


@dataclass(frozen=True)
class Ticks:
    """CPU time of the whole machine since it started, seconds summed over its cores."""

    busy: float
    stolen: float
    total: float


class Machine:
    """The machine that edgeretrain runs on, as Linux tells it in /proc and /sys; elsewhere what Python knows."""

    def __init__(self, root: Path = ROOT, vcgencmd: Callable[[], str | None] = _ask_vcgencmd) -> None:
        self._root = root
        self._vcgencmd = vcgencmd

    def facts(self) -> MachineFacts:
        """What does not change."""
        board, cpu = self.board(), self.cpu()
        return MachineFacts(
            machine=board or cpu or platform.node() or "unknown",
            board=board,
            cpu=cpu,
            architecture=platform.machine(),
            cores=available_cores(),
            cores_present=os.cpu_count(),
            os=self._os(),
            kernel=f"{platform.system()} {platform.release()}",
            governors=self.governors(),
            memory_bytes=self.memory("MemTotal:"),
            emulation=self.emulation(platform.machine()),
        )

    def state(self) -> MachineState:
        """What changes."""
        load = self._text("proc/loadavg")
        return MachineState(
            temperature_c=self.temperature(),
            throttled=self.throttled(),
            throttle_count=self.throttle_count(),
            load_average=float(load.split()[0]) if load else None,
        )

    def board(self) -> str | None:
        """`Raspberry Pi 4 Model B Rev 1.4`."""
        return self._text("proc/device-tree/model")

    def cpu(self) -> str | None:
        """The CPU's model name."""
        found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", self._text("proc/cpuinfo") or "", re.MULTILINE)
        if found:
            return found[1].strip()
        if platform.system() == "Darwin":
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                command = ["sysctl", "-n", "machdep.cpu.brand_string"]
                return subprocess.run(command, capture_output=True, text=True, timeout=5).stdout.strip() or None
        return platform.processor() or None

    def _os(self) -> str:
        found = re.search(r'^PRETTY_NAME="?([^"\n]+)', self._text("etc/os-release") or "", re.MULTILINE)
        return found[1] if found else platform.platform(terse=True)

    def governors(self) -> tuple[str, ...] | None:
        """What sets the CPU frequency: each governor in use, `performance` among them or not; None if not told."""
        files = (self._root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
        found = {text for file in files if (text := _read(file))}
        return tuple(sorted(found)) or None

    def memory(self, field: str) -> int | None:
        """A line of /proc/meminfo, such as `MemAvailable:`, in bytes."""
        found = re.search(rf"^{field}\s+(\d+) kB", self._text("proc/meminfo") or "", re.MULTILINE)
        return int(found[1]) * 1024 if found else None

    def temperature(self) -> float | None:
        """Degrees Celsius of the CPU; of several sensors the hottest."""
        zones = [
            file.parent / "temp"
            for file in (self._root / "sys/class/thermal").glob("thermal_zone*/type")
            if (_read(file) or "").lower().startswith(_CPU_ZONES)
        ]
        for file in (self._root / "sys/class/hwmon").glob("hwmon*/name"):
            if _read(file) in _CPU_SENSORS:
                zones += file.parent.glob("temp*_input")
        degrees = [int(text) / 1000 for zone in zones if (text := _read(zone)) and text.lstrip("-").isdigit()]
        return max(degrees, default=None)

    def throttled(self) -> str | None:
        """The Raspberry Pi firmware's flags, hexadecimal: `0x50000`; see `validity` for their meaning."""
        flags = self._vcgencmd() or self._text("sys/devices/platform/soc/soc:firmware/get_throttled") or ""
        found = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]+)", flags.strip())
        return f"{int(found[1], 16):#x}" if found else None

    def throttle_count(self) -> int | None:
        """How often an Intel CPU slowed itself down because of heat since the start, summed over its cores."""
        files = (self._root / "sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count")
        counts = [int(text) for file in files if (text := _read(file)) and text.isdigit()]
        return sum(counts) if counts else None

    def ticks(self) -> Ticks | None:
        """The first line of /proc/stat: user nice system idle iowait irq softirq steal, in clock ticks."""
        line = (self._text("proc/stat") or "").split("\n")[0].split()
        if len(line) < 8 or line[0] != "cpu":
            return None
        per_second = os.sysconf("SC_CLK_TCK")
        user, nice, system, idle, waiting, irq, softirq, *rest = (int(number) / per_second for number in line[1:9])
        stolen = rest[0] if rest else 0.0
        busy = user + nice + system + irq + softirq
        return Ticks(busy, stolen, busy + stolen + idle + waiting)

    def emulation(self, architecture: str) -> str | None:
        """What emulates this CPU, found out from the host's traces; None on a real one (or a well-hidden emulator).

        qemu's user mode shows the host's own /proc/cpuinfo, of another architecture (up to version 8), or makes one up:
        an ARM CPU whose implementer is 0, or one with a model name, which the kernel gives to 32-bit programs only, and
        a round BogoMIPS. It also stands before the command line of other processes of its kind.
        """
        cpuinfo = self._text("proc/cpuinfo") or ""
        family = "arm" if architecture.startswith(("aarch64", "arm")) else "x86"
        foreign = (mark for other, marks in _OTHER_VENDORS.items() if other != family for mark in marks)
        if any(mark in cpuinfo for mark in foreign) or re.search(r"CPU implementer\s*:\s*0x0+$", cpuinfo, re.MULTILINE):
            return "qemu"
        if architecture == "aarch64" and re.search(
            r"^model name\s*: ARM.*\nBogoMIPS\s*: 100\.00$", cpuinfo, re.MULTILINE
        ):
            return "qemu"
        if "VirtualApple" in cpuinfo:
            return "Rosetta"
        if "QEMU TCG" in cpuinfo:
            return "qemu"
        parent = (self._text(f"proc/{os.getppid()}/cmdline") or "").split("\0")[0]
        return "qemu" if re.match(r"qemu-(aarch64|arm|x86_64|i386)", Path(parent).name) else None

    def _text(self, path: str) -> str | None:
        return _read(self._root / path)


def _read(file: Path) -> str | None:
    """The text of a file without blanks and NULs around it; None where there is none."""
    try:
        return file.read_text("utf-8", "replace").strip(" \n\0") or None
    except OSError:
        return None
