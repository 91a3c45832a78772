"""What this process holds in memory, and the most that it held."""

import contextlib
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


def resident_bytes() -> int | None:
    """Resident set size now; where there is no /proc (macOS) the largest so far; None on Windows."""
    return _status_bytes("VmRSS:") if _STATUS.exists() else _largest_so_far()


def peak_bytes() -> int | None:
    """The largest resident set size since `forget_peak` (Linux) or since the process began; None on Windows."""
    return _status_bytes("VmHWM:") if _STATUS.exists() else _largest_so_far()


def forget_peak() -> None:
    """Let the kernel count the peak anew from the present size. Does nothing where it cannot."""
    with contextlib.suppress(OSError):
        _RESET.write_text("5")


def _status_bytes(field: str) -> int | None:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return None


def _largest_so_far() -> int | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024
