"""`--on-label`: a command of the user's, run when the label changes."""

import re
import shlex
import subprocess
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.sources import Tell, untold

_FIELD = re.compile(r"\{(label|score)\}")


class LabelCommand:
    """Runs a command with `{label}` and `{score}` filled in, without a shell: a label is always one argument.

    It never waits: at most one runs at a time, and of the labels that come meanwhile only the last is run for
    afterwards. Call `poll` for each frame.
    """

    def __init__(self, template: str, *, tell: Tell = untold) -> None:
        """Take the command apart.

        Args:
            template: as in a shell: words, with quotes where a word has spaces.
            tell: hears once that the command cannot be run, and once that it failed.

        Raises:
            EdgeretrainError: a quote is not closed, or there is no command at all.
        """
        try:
            self._words = shlex.split(template)
        except ValueError as error:
            raise EdgeretrainError(
                f"The command {template!r} cannot be understood ({error}). Check the quotes."
            ) from None
        if not self._words:
            raise EdgeretrainError("The command is empty. Give one such as 'echo {label}'.")
        self._tell = tell
        self._told: set[str] = set()
        self._running: subprocess.Popen[bytes] | None = None
        self._done: str | None = None
        self._next: tuple[str | None, float] | None = None

    def label(self, label: str | None, score: float) -> None:
        """The label is now this one. Without a label nothing is run, but the same label runs again after that."""
        self._next = (label, score)
        self.poll()

    def poll(self) -> None:
        """Look after the command that runs; start the next one if there is one."""
        if self._running is not None:
            code = self._running.poll()
            if code is None:
                return
            self._running = None
            if code:
                self._tell_once("failed", f"it ended with code {code}")
        if self._next is None:
            return
        (label, score), self._next = self._next, None
        if label is not None and label != self._done:
            self._start(label, score)
        self._done = label

    def _start(self, label: str, score: float) -> None:
        values = {"label": label, "score": f"{score:.4f}"}
        words = [_FIELD.sub(lambda field: values[field[1]], word) for word in self._words]
        # What it prints goes to stderr: stdout holds our own lines, JSON for a script perhaps.
        output: Any = 2
        try:
            self._running = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the label
            self._tell_once("missing", f"it cannot be run ({getattr(error, 'strerror', None) or error})")

    def _tell_once(self, kind: str, what: str) -> None:
        if kind not in self._told:
            self._told.add(kind)
            self._tell(f"The command {shlex.join(self._words)}: {what}. This is told once.")
