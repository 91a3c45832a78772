"""The coordinator's side of a worker: start it, ask it, notice when it crashes or hangs, end it."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

PATIENCE_SECONDS = 300.0
"""A worker that is silent for this long hangs. A slice of the slowest preset on the slowest board takes a minute."""

# Not `-m`: that would look for modules in the current folder first, where anything may lie.
_START = "import sys; sys.path = list(filter(None, sys.path)); from edgeretrain.benchmark.worker import main; main()"


class WorkerFailed(Exception):
    """A model cannot be measured (any more); the text is the reason, without the model's name and full stop."""


class WorkerProcess:
    """A worker in a process of its own; close it."""

    def __init__(self) -> None:
        # The child finds the edgeretrain that asks, however that one was found.
        home = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by `close`
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put(b"")

    def ask(self, what: str, doing: str, **command: Any) -> dict[str, Any]:
        """Send a command and wait for the answer.

        Args:
            doing: what the worker does meanwhile, for the error: `while loading`.

        Raises:
            WorkerFailed: it says that it cannot, crashes, or stays silent for PATIENCE_SECONDS.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it is gone: the missing answer tells
            self._process.stdin.write(json.dumps({"do": what, **command}).encode() + b"\n")
            self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            self.close()
            raise WorkerFailed(f"no answer for {PATIENCE_SECONDS:g} seconds {doing}: ended") from None
        if not line:
            raise WorkerFailed(f"its process crashed {doing} ({self._ending()})")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerFailed(answer["error"])
        return answer

    def _ending(self) -> str:
        """`SIGABRT: Check failed: ...`: how it ended, and the last that it said unless that was a greeting."""
        code = self._process.wait()
        try:
            ending = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        except ValueError:
            ending = f"signal {-code}"
        self._errors.seek(0)
        said = [line for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        return f"{ending}: {said[-1].strip()}" if said and not said[-1].startswith("INFO:") else ending

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
