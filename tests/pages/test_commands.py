"""Every `edgeretrain ...` on a page is a command with options that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from edgeretrain.cli import make_app
from pages.markdown import ROOT, commands, pages


def fault(line: str) -> str:
    """What is wrong with a command; "": nothing."""
    words = re.sub(r"\s#.*", "", line).split()
    command: Any = typer.main.get_command(make_app())
    while hasattr(command, "commands") and words and re.fullmatch(r"[a-z]+", words[0]):
        if words[0] not in command.commands:
            return f"no command {words[0]}: {line}"
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options |= {"-h", "--help"}
    unknown = [option for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", " ".join(words)) if option not in options]
    return f"no option {unknown[0]}: {line}" if unknown else ""


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_is_there(page: Path) -> None:
    assert [found for line in commands(page.read_text("utf-8")) if (found := fault(line))] == []


def test_commands_are_found() -> None:
    text = (
        "```\n$ edgeretrain retrain a --precision all  # --gone\npip install x && edgeretrain demo\n```\n"
        "edgeretrain is a program: `edgeretrain backbone build\n--gone`, `edgeretrain gone`"
    )
    found = commands(text)
    assert found == ["retrain a --precision all  # --gone", "demo", "backbone build --gone", "gone"]
    assert [bool(fault(line)) for line in found] == [False, False, True, True]
    if (ROOT / "README.md").exists():
        assert len(commands((ROOT / "README.md").read_text("utf-8"))) > 30
