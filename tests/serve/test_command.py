"""`edgeretrain serve` as a user starts and stops it."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli.conftest import Outcome, Run, cli, command  # noqa: F401  a fixture
from support.garden import Run as Retrained
from support.garden import jpeg, put

from edgeretrain.serve.address import listen
from serve.served import TOKEN


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    put(tmp_path / "camera" / "a.jpg", jpeg(1))
    return tmp_path / "camera"


class Running:
    """The command in a process of its own; its first lines were read."""

    def __init__(self, *arguments: object, **environment: str) -> None:
        self.process = subprocess.Popen(
            command("serve", *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environment},
        )
        assert self.process.stdout is not None
        self.line = self.process.stdout.readline().decode() + self.process.stdout.readline().decode()
        found = re.search(r":(\d+)/", self.line)
        assert found, self.end(signal.SIGKILL)
        self.port = int(found[1])

    def ask(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def end(self, how: int) -> Outcome:
        self.process.send_signal(how)
        out, err = self.process.communicate(timeout=30)
        return Outcome(self.process.returncode, self.line + out.decode(), err.decode())


Start = Callable[..., Running]


@pytest.fixture
def start(run: Retrained, folder: Path) -> Iterator[Start]:
    started: list[Running] = []

    def go(*arguments: object, **environment: str) -> Running:
        started.append(Running(run.model("int8"), "--folder", folder, "--port", 0, *arguments, **environment))
        return started[-1]

    yield go
    for server in started:
        server.process.kill()
        server.process.wait(30)


def test_it_serves_this_machine_and_stops_with_ctrl_c(start: Start) -> None:
    running = start("--verbose")
    assert f"Serving model.int8.tflite on http://127.0.0.1:{running.port}/\n" in running.line
    assert running.ask("/")[0] == 200
    assert json.loads(running.ask("/state")[1])["problem"] is None
    ended = running.end(signal.SIGINT)
    assert ended.code == 0
    assert ended.err == "127.0.0.1 GET / 200\n127.0.0.1 GET /state 200\n"


def test_for_the_network_a_token_is_made_printed_once_and_needed(start: Start) -> None:
    running = start("--host", "0.0.0.0", "--verbose")
    token = re.findall(r"\?token=([\w-]{22})", running.line)[0]
    assert running.ask("/")[0] == 401
    assert running.ask(f"/?token={token}")[0] == 200
    ended = running.end(signal.SIGTERM)
    assert ended.code == 0
    assert token not in ended.err
    assert "GET / 401" in ended.err


def test_a_token_of_ones_own_is_never_printed(start: Start) -> None:
    running = start(EDGERETRAIN_TOKEN=TOKEN)
    assert "It asks for your token." in running.line
    assert running.ask("/state")[0] == 401
    assert running.ask(f"/?token={TOKEN}")[0] == 200
    ended = running.end(signal.SIGTERM)
    assert ended.code == 0
    assert TOKEN not in ended.out + ended.err


def test_what_cannot_be_served_is_told_in_one_line(cli: Run, run: Retrained, folder: Path, tmp_path: Path) -> None:  # noqa: F811
    model = run.model("int8")
    cli("serve", tmp_path / "none.tflite", "--folder", folder).fails("none.tflite")
    cli("serve", model, "--folder", tmp_path / "none").fails("none", "Check the path")
    cli("serve", model, "--folder", folder, "--camera", "0").fails("--camera and --folder", "Give one")
    cli("serve", model, "--camera", "front").fails(
        "--camera must be 0, 1, ... or a path such as /dev/video2, not 'front'"
    )
    cli("serve", model, "--folder", folder, "--token", "short").fails("12 characters or more")
    cli("serve", model, "--folder", folder, "--host", "192.0.2.77").fails("not an address of this machine")
    cli("serve", model, "--folder", folder, "--photos", put(tmp_path / "file", b"")).fails("Choose another --photos")
    with listen("127.0.0.1", 0).socket as taken:
        port = taken.getsockname()[1]
        cli("serve", model, "--folder", folder, "--port", port).fails(f"Port {port}", "in use", "--port")


def test_without_its_library_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; sys.argv = ['edgeretrain', 'serve', 'model.tflite']\n"
        "from edgeretrain.cli import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 1
    assert ended.stderr == 'error: `edgeretrain serve` needs uvicorn: pip install "edgeretrain[serve]".\n'
