"""A device of the tests' own: a real OpenSSH server on loopback, run by the current user, with its own home."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from benchmark import made_up

from edgeretrain.records.json_form import to_json
from edgeretrain.version import __version__

ENVIRONMENT = made_up.environment(machine="aarch64", board="Raspberry Pi 5")
_FIGURES: dict[str, Any] = to_json(replace(made_up.results(), environment=ENVIRONMENT))

# A fake `edgeretrain benchmark`: the contract's result for whatever files it is given, and a note of what it was given.
_ANSWER = f"""
import hashlib
(Path(tempfile.gettempdir()) / "left behind").touch()
note = {{"argv": sys.argv[1:], "folder": os.getcwd(), "mode": os.stat(".").st_mode & 0o777, "pid": os.getpid()}}
Path(__file__).with_name("note.json").write_text(json.dumps(note))
names = [name for name in sys.argv[2:] if name.endswith(".tflite")]
contents = [Path(name).read_bytes() for name in names]
result = json.loads({json.dumps(_FIGURES)!r})
result["edgeretrain"] = "{__version__}"
result["warnings"] = [f"{{names[-1]}}: the spread is wide."]
result["results"] = [
    dict(result["results"][0], model=name, sha256=hashlib.sha256(bytes_).hexdigest(), bytes=len(bytes_))
    for name, bytes_ in zip(names, contents)
]
"""
ANSWER = _ANSWER + "print(json.dumps(result, indent=1))"
HANG = _ANSWER + "time.sleep(600)"


def script(body: str = ANSWER, *, version: str = __version__) -> str:
    """A program that stands for edgeretrain on the device."""
    head = f"""\
        #!{sys.executable}
        import json, os, sys, tempfile, time
        from pathlib import Path
        if sys.argv[1:] == ["--version"]:
            print("edgeretrain {version}")
            sys.exit()
    """
    return f"{dedent(head)}{dedent(body)}\n"


def changed(change: str) -> str:
    """ANSWER, with the result changed before it is printed."""
    return f"{_ANSWER}{dedent(change)}\nprint(json.dumps(result, indent=1))"


@dataclass
class Device:
    """What a test sees of its device."""

    url: str
    home: Path
    temporary: Path
    client: Path
    port: int
    config: Path
    server: subprocess.Popen[bytes] | None = None

    def put(self, path: str, text: str) -> Path:
        """Write a program on the device."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
        return file

    def put_python(self, before: str = "pass", *, options: str = "-I -S") -> None:
        """The device's python3: this one without its packages; `before` runs ahead of what it is given with -c."""
        self.put("bin/python3", f'#!/bin/sh\nexec \'{sys.executable}\' {options} "$1" "{before};$2"\n')

    @property
    def note(self) -> Any:
        return json.loads((self.home / "bin/note.json").read_text())

    def wait_for_note(self) -> Any:
        """Wait until the fake edgeretrain measures."""
        return _soon(lambda: self.note, "the fake edgeretrain did not start")

    def is_clean(self) -> bool:
        """Wait until the temporary folder of the device is empty; False if it stays full."""
        with suppress(AssertionError):
            return bool(_soon(lambda: not any(self.temporary.iterdir()), ""))
        return False

    def start(self, *lines: str, variables: str = "") -> None:
        """Start the server with more lines of configuration and variables of the environment."""
        path = self.home / "bin"
        settings = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.client / 'host'}",
            f"AuthorizedKeysFile {self.client / 'key.pub'}",
            *("StrictModes no", "UsePAM no", "PasswordAuthentication no", "PidFile none", "PermitRootLogin yes"),
            f"SetEnv PATH={path} HOME={self.home} TMPDIR={self.temporary} {variables}",
            *lines,
        ]
        self.config.write_text("\n".join(settings) + "\n")
        sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        assert sshd
        self.server = subprocess.Popen([sshd, "-D", "-e", "-f", self.config], stderr=subprocess.PIPE)

        def answers() -> bool:
            assert self.server
            if self.server.poll() is not None:
                assert self.server.stderr
                pytest.skip(f"sshd does not start here: {self.server.stderr.read().decode().strip()}")
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True

        _soon(answers, "sshd does not answer")

    def sessions(self) -> list[int]:
        """The server's processes that serve a connection."""
        assert self.server
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                pid, name, rest = stat.read_text().replace("(", ")").split(")")
                parents[int(pid)] = (int(rest.split()[1]), name)
        found = [self.server.pid]
        for ancestor in found:
            found += [pid for pid, (parent, name) in parents.items() if parent == ancestor and "sshd" in name]
        return found[1:]

    def stop(self) -> None:
        if self.server:
            for pid in self.sessions():
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            self.server.kill()
            self.server.wait()
            assert self.server.stderr
            self.server.stderr.close()
            self.server = None


def _soon(attempt: Any, failure: str) -> Any:
    end = time.monotonic() + 15
    while time.monotonic() < end:
        with suppress(OSError, ValueError):
            if found := attempt():
                return found
        time.sleep(0.02)
    raise AssertionError(failure)


def write_model(path: Path, number: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x0c\0\0\0TFL3" + bytes([number]) * 300_000)
    return path
