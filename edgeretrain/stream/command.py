"""`--on-label`: a command of the user's, run when the label changes."""

import re
import shlex
import subprocess
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.sources import Notify, ignore

_FIELD = re.compile(r"\{(label|score)\}")


class LabelCommand:
    """Runs a command with `{label}` and `{score}` filled in, without a shell: a label is always one argument.

    It never waits. At most one command runs at a time; of the labels that come meanwhile, the command runs afterwards
    for the last one only. Call `poll` for each frame.
    """

    def __init__(self, template: str, *, notify: Notify = ignore) -> None:
        """Parse the command.

        Args:
            template: as in a shell: words, with quotes where a word has spaces.
            notify: called once if the command cannot be run, and once if it failed.

        Raises:
            EdgeretrainError: a quote is not closed, or there is no command at all.
        """
        try:
            self._words = shlex.split(template)
        except ValueError as error:
            raise EdgeretrainError(f"The command {template!r} cannot be parsed ({error}). Check the quotes.") from None
        if not self._words:
            raise EdgeretrainError("The command is empty. Give one such as 'echo {label}'.")
        self._notify = notify
        self._reported: set[str] = set()
        self._running: subprocess.Popen[bytes] | None = None
        self._last: str | None = None
        self._pending: tuple[str | None, float] | None = None

    def label(self, label: str | None, score: float) -> None:
        """Take the new label. None runs nothing, but lets the same label run again afterwards."""
        self._pending = (label, score)
        self.poll()

    def poll(self) -> None:
        """Check whether the running command has ended; start the next one if there is one."""
        if self._running is not None:
            code = self._running.poll()
            if code is None:
                return
            self._running = None
            if code:
                self._notify_once("failed", f"it ended with code {code}")
        if self._pending is None:
            return
        (label, score), self._pending = self._pending, None
        if label is not None and label != self._last:
            self._start(label, score)
        self._last = label

    def _start(self, label: str, score: float) -> None:
        values = {"label": label, "score": f"{score:.4f}"}
        words = [_FIELD.sub(lambda field: values[field[1]], word) for word in self._words]
        # What it prints goes to stderr: stdout holds our own lines, JSON for a script perhaps.
        output: Any = 2
        try:
            self._running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the label
            self._notify_once("missing", f"it cannot be run ({getattr(error, 'strerror', None) or error})")

    def _notify_once(self, kind: str, what: str) -> None:
        if kind not in self._reported:
            self._reported.add(kind)
            self._notify(f"The command {shlex.join(self._words)}: {what}. This is reported only once.")
