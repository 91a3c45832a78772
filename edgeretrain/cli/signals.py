"""SIGTERM and SIGHUP end a command as Ctrl-C does: what it was writing is removed.

They come from `systemctl stop`, `docker stop`, `kill`, and from a terminal or ssh session that is closed.
"""

import signal
from types import FrameType
from typing import Any

_NAMES = ("SIGTERM", "SIGHUP")  # the second is unknown to Windows
_received: list[int] = []
_before: dict[int, Any] = {}


def heed_signals() -> None:
    """Let them interrupt the command, unless whoever started it has it ignore them, as `nohup` does."""
    _received.clear()
    for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
        if signal.getsignal(number) == signal.SIG_DFL:
            _before[number] = signal.signal(number, _interrupt)


def exit_code(code: Any) -> int:
    """The exit code of a command that ended with `code` (an int or None); 128 and the signal if one ended it."""
    while _before:
        signal.signal(*_before.popitem())
    if _received:
        return 128 + _received[0]
    return code if isinstance(code, int) else 0


def _interrupt(number: int, _frame: FrameType | None) -> None:
    _received.append(number)
    if len(_received) == 1:  # more of them, as of a terminal that is closed, must not interrupt the tidying
        raise KeyboardInterrupt
