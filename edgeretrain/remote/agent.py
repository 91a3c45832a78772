"""What runs on the device. Its text is sent through ssh and run by the device's `python3 -c`.

It needs Python 3.7 and its standard library, and imports nothing of edgeretrain: what it is to find out is whether
there is one. It reads from standard input a line of JSON (`task`), then, when it has said "ready", the models' bytes
one after the other. The end of standard input means that nobody listens any more: it stops what it started and removes
its folder. It writes lines `MARKER {"event": ...}`, so that whatever else the login prints does no harm.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_SPARE = 16 << 20  # bytes that must stay free beside the models
_PROGRESS = re.compile(r"(.+): (\d+) of (\d+)")


class Failed(Exception):
    """What the other side is sent: a kind and its details."""

    def __init__(self, kind: str, **details: Any) -> None:
        super().__init__(kind)
        self.message = dict(details, event="failed", kind=kind)


def main() -> None:
    task = json.loads(sys.stdin.buffer.readline().decode())
    lock = threading.Lock()

    def say(event: str, **details: Any) -> None:
        with lock:
            # Begins on a line of its own, whatever was printed before.
            line = json.dumps(dict(details, event=event))
            sys.stdout.buffer.write(f"\n{task['marker']} {line}\n".encode())
            sys.stdout.buffer.flush()

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    folder = None
    try:
        bits = 64 if sys.maxsize > 1 << 32 else 32
        say("hello", python=platform.python_version(), machine=platform.machine(), bits=bits)
        command, version = find_edgeretrain(task["command"])
        say("found", version=version, pip=pip_of(command))
        folder = make_folder(sum(model["bytes"] for model in task["models"]))
        say("ready")
        for model in task["models"]:
            receive(folder / model["name"], model)
            say("copied", name=model["name"])
        run(command + task["arguments"], folder, say)
    except Failed as failure:
        say(**failure.message)
    except OSError as error:
        say("failed", kind="system", reason=error.strerror or str(error))
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def _stop(number: int, frame: Any) -> NoReturn:
    raise SystemExit(1)


def find_edgeretrain(wanted: list[str]) -> tuple[list[str], str]:
    """The command that runs edgeretrain, and its version.

    Looked for on the PATH, in ~/.local/bin, in every virtual environment directly below the home folder, and in the
    python3 that runs this.
    """
    if wanted:
        candidates = [[os.path.expanduser(wanted[0]), *wanted[1:]]]  # noqa: PTH111 (a Path would add the folder to a bare name)
    else:
        home = Path.home()
        environments = sorted(map(str, home.glob("*/bin/edgeretrain")))  # hidden folders too, as .venv
        found = [shutil.which("edgeretrain"), str(home / ".local/bin/edgeretrain"), *environments]
        candidates = [[path] for path in dict.fromkeys(found) if path and os.access(path, os.X_OK)]
        if importlib.util.find_spec("edgeretrain"):
            candidates.append([sys.executable, "-m", "edgeretrain"])
    reason = ""
    for candidate in candidates:
        try:
            done = subprocess.run([*candidate, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = reason or str(error)
            continue
        version = re.search(r"^edgeretrain (\d\S*)\s*$", done.stdout.decode(errors="replace"), re.MULTILINE)
        if version:
            return candidate, version.group(1)
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        reason = reason or f"{candidate[0]}: {said[-1] if said else f'exit code {done.returncode}'}"
    raise Failed("no edgeretrain", reason=reason)


def pip_of(command: list[str]) -> str:
    """What updates this edgeretrain."""
    if command[0] == sys.executable:
        return sys.executable + " -m pip"
    beside = Path(command[0]).with_name("pip")
    return str(beside) if os.access(beside, os.X_OK) else "pip"


def make_folder(size: int) -> Path:
    """A private folder where there is room for so many bytes; /tmp is small on some boards."""
    most = 0
    for parent in (Path(tempfile.gettempdir()), Path("/var/tmp"), Path.home()):
        try:
            free = shutil.disk_usage(parent).free
            most = max(most, free)
            if free >= size + _SPARE:
                return Path(tempfile.mkdtemp(prefix="edgeretrain-", dir=parent))
        except OSError:
            continue
    raise Failed("disk", needed=size + _SPARE, free=most)


def receive(path: Path, model: dict[str, Any]) -> None:
    """Write one model from standard input to a file and check what then stands there."""
    left = model["bytes"]
    with path.open("wb") as file:
        while left:
            block = sys.stdin.buffer.read(min(left, 1 << 16))
            if not block:
                raise SystemExit(1)
            file.write(block)
            left -= len(block)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 16), b""):
            digest.update(block)
    if digest.hexdigest() != model["sha256"]:
        raise Failed("copy", name=model["name"])


def run(command: list[str], folder: Path, say: Any) -> None:
    """Run the benchmark in the folder; send its progress, then everything it printed and its exit code."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(os.environ, TMPDIR=str(folder)),  # so that what it leaves when it is ended goes with the folder
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that all processes it starts can be ended with it
    )
    assert process.stdout
    assert process.stderr

    def end() -> None:
        with suppress(OSError):  # it may have ended by itself
            os.killpg(process.pid, signal.SIGKILL)

    def watch() -> None:
        while os.read(0, 1):
            pass
        end()

    last_lines: list[str] = []

    def listen() -> None:
        for line in process.stderr or ():
            text = line.decode(errors="replace").strip()
            progress = _PROGRESS.fullmatch(text)
            if progress:
                say("progress", step=progress.group(1), done=int(progress.group(2)), total=int(progress.group(3)))
            elif text:
                last_lines[:] = [*last_lines, text][-20:]

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    threading.Thread(target=watch, daemon=True).start()
    try:
        out = process.stdout.read().decode(errors="replace")
        process.wait()
        listener.join(5)
        say("ended", code=process.returncode, out=out, stderr=last_lines)
    finally:
        end()
        process.wait()


if __name__ == "__main__":
    code = 1
    try:
        main()
        code = 0
    except BrokenPipeError:  # nobody listens any more
        pass
    except Exception:
        traceback.print_exc()
    finally:
        # Not sys.exit: a thread may still wait for the end of standard input.
        os._exit(code)
