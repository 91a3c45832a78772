"""One ssh connection to the agent on a device, and what it means when it fails."""

import json
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.json_form import Json
from edgeretrain.remote.address import Address
from edgeretrain.remote.messages import Message, read_message

_SECONDS_TO_ANSWER = 60.0  # from the login to the agent's first word
_MOST_NOISE = 1 << 20  # bytes that a login may print before the agent's first word
_PYTHON_TOO_OLD = 77
_OPTIONS = (
    "ConnectTimeout=10",
    # A device that disappears is noticed after 20 s, whatever the user's config says.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=4",
    # A connection of its own: a shared one would keep the other's ServerAlive settings.
    "ControlMaster=no",
    "ControlPath=none",
    # What a config may add for logging in by hand.
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    # At QUIET ssh would not say why it failed.
    "LogLevel=INFO",
)


class Connection:
    """The agent on a device: JSON lines from it, JSON lines and bytes to it. Leaving the context ends the agent."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._marker = f"edgeretrain-{uuid.uuid4().hex}"
        self._greeted = False
        self._silent = False
        self.step = "connecting"

    def __enter__(self) -> "Connection":
        agent = Path(__file__).with_name("agent.py").read_bytes()
        # No character that means something within double quotes to sh, fish, csh or cmd.
        remote = (
            f'python3 -c "import sys;sys.version_info<(3,7)and sys.exit({_PYTHON_TOO_OLD});'
            f'exec(sys.stdin.buffer.read({len(agent)}))"'
        )
        command = [*_ssh(), *_arguments(self._address), remote]
        self._stderr = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr
            )
        except OSError as error:
            self._stderr.close()
            raise EdgeretrainError(
                f"{command[0]} cannot be started ({error.strerror}), and --device needs it. "
                "Install OpenSSH's client: sudo apt install openssh-client"
            ) from None
        self._timer = threading.Timer(_SECONDS_TO_ANSWER, self._give_up)
        if not _asks():
            self._timer.start()
        self.send(agent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        assert self._process.stdin
        assert self._process.stdout
        # The agent removes its folder when its standard input ends.
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._stderr.close()

    def _give_up(self) -> None:
        self._silent = True
        self._process.kill()

    def send(self, data: bytes) -> None:
        """Send bytes. If the connection is gone, `receive` tells why."""
        assert self._process.stdin
        with suppress(OSError):
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def send_task(self, task: dict[str, Json]) -> None:
        """Send a JSON line."""
        self.send(json.dumps({**task, "marker": self._marker}).encode() + b"\n")

    def receive(self) -> Message:
        """The agent's next message.

        Raises:
            EdgeretrainError: the connection failed or broke off; says why, and what to do.
        """
        assert self._process.stdout
        start = f"{self._marker} ".encode()
        noise = 0
        while line := self._process.stdout.readline(1 << 27):
            if line.startswith(start) and line.endswith(b"\n"):
                self._greeted = True
                self._timer.cancel()
                return read_message(json.loads(line[len(start) :]))
            noise += len(line)
            if noise > _MOST_NOISE:
                self._process.kill()
                raise EdgeretrainError(
                    f"{self._address}: its shell prints without end when edgeretrain logs in. Look at what "
                    f"{self._address.command} true prints, and mend ~/.bashrc there."
                )
        try:
            code = self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        raise self._failure(code)

    def _failure(self, code: int) -> EdgeretrainError:
        self._stderr.seek(0)
        said = [line.strip() for line in self._stderr.read().decode(errors="replace").splitlines() if line.strip()]
        if self._greeted:
            reason = f" ({said[-1]})" if said else ""
            return EdgeretrainError(
                f"{self._address}: the connection broke off while {self.step}{reason}. Nothing of this run is kept; "
                "look whether the device is still on and in the network, and run it again."
            )
        if self._silent:
            return EdgeretrainError(
                f"{self._address}: no answer within {_SECONDS_TO_ANSWER:.0f} seconds of logging in. Look whether "
                f"{self._address.command} true comes back."
            )
        return EdgeretrainError(f"{self._address}: {_reason(self._address, code, said)}")


def _ssh() -> list[str]:
    wanted = os.environ.get("EDGERETRAIN_SSH_COMMAND", "")
    try:
        return shlex.split(wanted, posix=os.name != "nt") or ["ssh"]
    except ValueError as error:
        raise EdgeretrainError(
            f"EDGERETRAIN_SSH_COMMAND is {wanted!r}: {error}. Write it as in a shell, or unset it."
        ) from None


def _asks() -> bool:
    """Whether somebody is there to answer ssh's questions, which it asks on the terminal itself."""
    return sys.stdin is not None and sys.stdin.isatty()


def _arguments(address: Address) -> list[str]:
    options = _OPTIONS if _asks() else ("BatchMode=yes", *_OPTIONS)
    return [
        *("-T", "-x", "-a"),
        *(part for option in options for part in ("-o", option)),
        *(("-p", str(address.port)) if address.port else ()),
        *(("-l", address.user) if address.user else ()),
        *("--", address.host),
    ]


# What OpenSSH's client or the remote shell says -> what it means and what to do. The first that fits, in this order.
_REASONS = (
    (
        "identification has changed",
        "its host key is not the one that ssh remembers. If the device was set up anew, run ssh-keygen -R {known}, "
        "then {command}",
    ),
    ("host key verification failed", "its host key is not known here yet. Run {command} once and accept it."),
    ("could not resolve", "its name is not known in this network. Look for a typing error, or use its IP address."),
    (
        "connection refused",
        "no SSH server answers there. On a Raspberry Pi, turn it on: sudo raspi-config nonint do_ssh 0",
    ),
    ("timed out", "it does not answer. Look whether it is on and in this network."),
    ("no route to host", "there is no way to it. Look whether it is on and in this network."),
    ("network is unreachable", "there is no way to it. Look whether this machine is in a network."),
    ("permission denied", "it refuses the login. Look at the user's name, or copy your key there: ssh-copy-id {login}"),
    (
        "too many authentication failures",
        "it refuses the login: too many keys were offered. Name the right one as IdentityFile in ~/.ssh/config.",
    ),
)


def _reason(address: Address, code: int, said: list[str]) -> str:
    text = "\n".join(said).lower()
    if code == 255:
        known = f"'[{address.host}]:{address.port}'" if address.port else address.host
        login = address.command.removeprefix("ssh ")
        for words, meaning in _REASONS:
            if words in text:
                return meaning.format(known=known, command=address.command, login=login)
        return f"ssh failed ({said[-1] if said else 'it gives no reason'}). Try {address.command}"
    if code == _PYTHON_TOO_OLD:
        return "its python3 is older than 3.7; edgeretrain needs 3.10. Update its system."
    if code == 127 or "not found" in text:
        return f"there is no python3. Install it: {address.command} sudo apt install python3 python3-venv"
    return (
        f"python3 ended there with exit code {code} ({said[-1] if said else 'it gives no reason'}). "
        f"Try {address.command} python3 --version"
    )
