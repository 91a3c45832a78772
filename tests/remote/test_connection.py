"""Devices that cannot be reached: what ssh says, in words that help."""

import subprocess
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.remote import benchmark_on
from remote.board import Device, script


def failure(url: str, model: Path) -> str:
    with pytest.raises(EdgeretrainError) as error:
        benchmark_on(url, [model])
    message = str(error.value)
    assert "\n" not in message
    assert message.startswith(f"{url}: ")
    return message.removeprefix(f"{url}: ")


def test_nothing_listens(device: Device, model: Path) -> None:
    assert failure(device.url, model).startswith("no SSH server answers there.")


def test_an_unknown_name(device: Device, model: Path) -> None:
    message = failure("ssh://pi@nowhere.invalid", model)
    assert message == ("its name is not known in this network. Look for a typing error, or use its IP address.")


def test_an_unknown_host_key(device: Device, model: Path) -> None:
    (device.client / "known_hosts").write_text("")
    device.start()
    message = failure(device.url, model)
    assert message.startswith("its host key is not known here yet. Run ssh -p ")
    assert message.endswith("@127.0.0.1 once and accept it.")


def test_a_changed_host_key(device: Device, model: Path) -> None:
    other = " ".join((device.client / "stranger.pub").read_text().split()[:2])
    (device.client / "known_hosts").write_text(f"[127.0.0.1]:{device.port} {other}\n")
    device.start()
    message = failure(device.url, model)
    assert message.startswith("its host key is not the one that ssh remembers.")
    assert f"ssh-keygen -R '[127.0.0.1]:{device.port}'" in message


def test_a_refused_login(device: Device, model: Path) -> None:
    (device.client / "key.pub").write_text((device.client / "stranger.pub").read_text())
    device.start()
    message = failure(device.url, model)
    assert message.startswith("it refuses the login.")
    assert f"ssh-copy-id -p {device.port} " in message


def test_no_python_there(device: Device, model: Path) -> None:
    (device.home / "bin/python3").unlink()
    device.start()
    message = failure(device.url, model)
    assert message.startswith("there is no python3. Install it: ssh -p ")
    assert message.endswith(" sudo apt install python3 python3-venv")


def test_a_python_that_is_too_old(device: Device, model: Path) -> None:
    device.put_python("import sys;sys.version_info=(3,5,3)")
    device.start()
    assert failure(device.url, model) == ("its python3 is older than 3.7; edgeretrain needs 3.10. Update its system.")


def test_a_python_that_does_not_run(device: Device, model: Path) -> None:
    device.put("bin/python3", "#!/bin/sh\necho 'cannot execute' >&2\nexit 126\n")
    device.start()
    assert failure(device.url, model).startswith("python3 ended there with exit code 126 (cannot execute). Try ssh ")


def test_a_shell_that_prints_without_end(device: Device, model: Path) -> None:
    device.start("ForceCommand while :; do echo welcome; done")
    assert failure(device.url, model).startswith("its shell prints without end when edgeretrain logs in.")


def test_a_shell_that_never_comes_to_the_point(device: Device, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.remote.connection._SECONDS_TO_ANSWER", 1.0)
    device.put("bin/python3", script("time.sleep(10)"))
    device.start()
    assert failure(device.url, model).startswith("no answer within 1 seconds of logging in. Look whether ssh ")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ("ssh: connect to host pi port 22: Connection timed out", "it does not answer. Look whether it is on"),
        ("ssh: connect to host pi port 22: Operation timed out", "it does not answer. Look whether it is on"),
        ("ssh: connect to host pi port 22: No route to host", "there is no way to it."),
        ("Received disconnect: 2: Too many authentication failures", "too many keys were offered."),
        (
            "kex_exchange_identification: read: reset",
            "ssh failed (kex_exchange_identification: read: reset). Try ssh pi",
        ),
        ("", "ssh failed (it gives no reason). Try ssh pi"),
    ],
)
def test_what_ssh_says(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch, said: str, says: str) -> None:
    fake = tmp_path / "a fake ssh"
    fake.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    fake.chmod(0o755)
    monkeypatch.setenv("EDGERETRAIN_SSH_COMMAND", f"'{fake}' -v")
    assert says in failure("ssh://pi", model)


def test_no_ssh_here(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERETRAIN_SSH_COMMAND", "no-such-ssh")
    with pytest.raises(EdgeretrainError, match=r"no-such-ssh cannot be started .* sudo apt install openssh-client"):
        benchmark_on("ssh://pi", [model])
    monkeypatch.setenv("EDGERETRAIN_SSH_COMMAND", "ssh '-F")
    with pytest.raises(EdgeretrainError, match=r"EDGERETRAIN_SSH_COMMAND is .*No closing quotation"):
        benchmark_on("ssh://pi", [model])


def test_ssh_is_given_no_more_than_the_address(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BatchMode without a terminal, the host behind `--`."""
    fake = tmp_path / "ssh"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/arguments"\nexit 255\n')
    fake.chmod(0o755)
    monkeypatch.setenv("EDGERETRAIN_SSH_COMMAND", str(fake))
    with pytest.raises(EdgeretrainError), open("/dev/null") as nothing:  # noqa: PTH123
        monkeypatch.setattr("sys.stdin", nothing)
        benchmark_on("ssh://pi@[fe80::1]:2222", [model])
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[arguments.index("-p") :][:6] == ["-p", "2222", "-l", "pi", "--", "fe80::1"]
    assert "BatchMode=yes" in arguments
    assert len(arguments) == arguments.index("--") + 3
    # The remote command survives every shell: nothing in it is special within double quotes.
    quoted = arguments[-1].removeprefix('python3 -c "').removesuffix('"')
    assert not set(quoted) & set("\"'`$\\!%")
    assert subprocess.run(["sh", "-c", f'printf %s "{quoted}"'], capture_output=True, text=True).stdout == quoted
