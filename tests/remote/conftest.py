"""A device for every test, and this machine's ssh set up for it."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from remote.board import Device, write_model


def user() -> pwd.struct_passwd:
    """Who runs the tests, and so the server."""
    try:
        return pwd.getpwuid(os.geteuid())
    except KeyError:
        pytest.skip("the current user has no name, so nobody can log in as them")


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host key and a user key, made once."""
    if not shutil.which("ssh") or not shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin"):
        pytest.skip("OpenSSH's client and server are not both here: apt install openssh-client openssh-server")
    if not Path("/proc/self/stat").exists():
        pytest.skip("there is no /proc, in which these tests find the server's processes")
    if Path(user().pw_shell).name not in ("sh", "bash", "dash", "zsh", "fish"):
        pytest.skip(f"{user().pw_name} has no login shell that a device's user has: {user().pw_shell or 'none'}")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it when root starts it
    folder = tmp_path_factory.mktemp("keys")
    for name in ("host", "key", "stranger"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", folder / name], check=True)
    return folder


@pytest.fixture
def device(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A device that is not started yet."""
    client, home, temporary = tmp_path / "client", tmp_path / "device", tmp_path / "device-tmp"
    shutil.copytree(keys, client)
    for folder in (home, temporary):
        folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    host_key = " ".join((client / "host.pub").read_text().split()[:2])
    (client / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (client / "config").write_text(
        f"IdentityFile {client / 'key'}\nIdentitiesOnly yes\nIdentityAgent none\nStrictHostKeyChecking yes\n"
        f"UserKnownHostsFile {client / 'known_hosts'}\nGlobalKnownHostsFile none\n"
    )
    monkeypatch.setenv("EDGERETRAIN_SSH_COMMAND", f"ssh -F '{client / 'config'}'")
    monkeypatch.delenv("EDGERETRAIN_DEVICE_COMMAND", raising=False)
    monkeypatch.setattr(sys, "stdin", open(os.devnull))  # noqa: PTH123, SIM115 (no terminal: ssh asks nothing)
    made = Device(f"ssh://{user().pw_name}@127.0.0.1:{port}", home, temporary, client, port, tmp_path / "sshd_config")
    made.put_python()
    yield made
    made.stop()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Nothing that runs, but it begins like a .tflite file."""
    return write_model(tmp_path / "model.tflite", 1)
