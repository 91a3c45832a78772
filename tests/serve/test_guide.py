"""docs/raspberry-pi.md and the unit file: every command in them is one that there is."""

import configparser
import re
import shlex
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import typer

from edgeretrain.cli import make_app
from edgeretrain.serve.auth import check_token

GUIDE = Path(__file__).parents[2] / "docs" / "raspberry-pi.md"
UNIT = files("edgeretrain.serve").joinpath("edgeretrain.service").read_text("utf-8")


def exec_start() -> str:
    return re.findall(r"^ExecStart=(.+)$", UNIT, re.MULTILINE)[0]  # type: ignore[no-any-return]


def commands() -> list[str]:
    """Every `edgeretrain ...` of the guide, in blocks and in sentences, and the one of the unit file."""
    if not GUIDE.exists():
        return [exec_start()]
    text = GUIDE.read_text("utf-8")
    return [*re.findall(r"(?:^|`)(edgeretrain [a-z]+ [^`\n]+)", text, re.MULTILINE), exec_start()]


def test_commands_are_found() -> None:
    if not GUIDE.exists():
        pytest.skip("there is no docs folder here (an installed package)")
    assert {shlex.split(line)[1] for line in commands()} >= {
        "classify",
        "serve",
        "retrain",
        "teach",
        "benchmark",
        "sweep",
    }


@pytest.mark.parametrize("line", commands())
def test_every_command_and_option_is_one_that_there_is(line: str) -> None:
    words = shlex.split(line)
    group: Any = typer.main.get_command(make_app())
    command = group.commands[words[1]]
    options = {name for parameter in command.params for name in parameter.opts}
    used = {word.split("=")[0] for word in words if word.startswith("--")}
    assert used <= options


def test_install_lines_can_be_pasted_as_they_are() -> None:
    if not GUIDE.exists():
        pytest.skip("there is no docs folder here (an installed package)")
    lines = [
        line for line in GUIDE.read_text("utf-8").splitlines() if "pip install" in line and line.startswith("sudo")
    ]
    assert len(lines) == 4
    for line in lines:
        assert "--system-site-packages" in line
        assert subprocess.run(["bash", "-n", "-c", line]).returncode == 0


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze on PATH")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "edgeretrain.service"
    unit.write_text(UNIT.replace(exec_start(), "/bin/true"), "utf-8")
    ended = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    about_it = [line for line in ended.stderr.splitlines() if "edgeretrain" in line]
    assert about_it == []


def test_the_unit_shows_no_token_and_can_write_photos_only() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(UNIT)
    service = parser["Service"]
    assert "--token" not in service["ExecStart"]
    photos = shlex.split(service["ExecStart"])[shlex.split(service["ExecStart"]).index("--photos") + 1]
    assert service["ReadWritePaths"] == f"-{photos}"
    assert service["EnvironmentFile"] == "/etc/edgeretrain.env"
    assert check_token("0123456789abcdef01234567")  # what `openssl rand -hex 12` gives
