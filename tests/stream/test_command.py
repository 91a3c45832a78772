"""`--on-label`: a label is one argument whatever is in it, and nothing waits for the command."""

import shlex
import sys
import time
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.stream.command import LabelCommand

# Notes its arguments, one line each time it is run.
NOTE = "import sys, time; open(sys.argv[1], 'a').write(repr(sys.argv[3:]) + '\\n'); time.sleep(float(sys.argv[2]))"


class Notes:
    def __init__(self, path: Path) -> None:
        self.path, self.told = path, list[str]()

    def command(self, rest: str, seconds: float = 0.0) -> LabelCommand:
        words = [sys.executable, "-c", NOTE, str(self.path), str(seconds)]
        return LabelCommand(f"{shlex.join(words)} {rest}", notify=self.told.append)

    def lines(self, count: int, command: LabelCommand) -> list[str]:
        """What was noted, once there are so many lines and the command is done."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            command.poll()
            lines = self.path.read_text().splitlines() if self.path.exists() else []
            if len(lines) >= count and command._running is None:
                return lines
            time.sleep(0.005)
        raise AssertionError(lines)


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "notes")


def test_label_and_score(notes: Notes) -> None:
    command = notes.command("{label} 'it is {label}, {score}' {other} {}")
    command.label("roses", 0.98765)
    assert notes.lines(1, command) == ["['roses', 'it is roses, 0.9877', '{other}', '{}']"]
    assert notes.told == []


@pytest.mark.parametrize(
    "label", ["a; touch x", "$(touch x)", "`touch x`", "a b", "'", '"', "{score}", "*", "-rf", "ä"]
)
def test_a_label_is_one_argument(notes: Notes, label: str) -> None:
    command = notes.command("{label}")
    command.label(label, 0.5)
    assert notes.lines(1, command) == [repr([label])]
    assert not (notes.path.parent / "x").exists() and not Path("x").exists()


def test_once_while_the_label_stays(notes: Notes) -> None:
    command = notes.command("{label}")
    for label in ("a", "a", "b", None, "b"):
        command.label(label, 0.5)
        notes.lines(0, command)
    assert notes.lines(3, command) == ["['a']", "['b']", "['b']"]


def test_a_slow_command_blocks_nothing_and_only_the_last_label_waits(notes: Notes) -> None:
    command = notes.command("{label}", seconds=0.4)
    began = time.monotonic()
    command.label("a", 0.5)
    while not notes.path.exists():
        time.sleep(0.005)
    first = command._running
    for index in range(50):
        command.label(f"b{index}", 0.5)
        command.poll()
    assert command._running is first
    assert time.monotonic() - began < 20
    assert notes.lines(2, command) == ["['a']", "['b49']"]


def test_a_missing_command_is_told_once() -> None:
    told: list[str] = []
    command = LabelCommand("no-such-command-here {label}", notify=told.append)
    for label in "abc":
        command.label(label, 0.5)
    assert told == [
        "The command no-such-command-here '{label}': it cannot be run (No such file or directory). This is "
        "reported only once."
    ]


def test_a_failing_command_is_told_once(notes: Notes) -> None:
    told: list[str] = []
    command = LabelCommand(f"{sys.executable} -c 'raise SystemExit(3)' {{label}}", notify=told.append)
    for label in "abc":
        command.label(label, 0.5)
        notes.lines(0, command)
    assert len(told) == 1 and "it ended with code 3. This is reported only once." in told[0]


def test_a_label_with_a_nul_is_told() -> None:
    told: list[str] = []
    LabelCommand("echo {label}", notify=told.append).label("a\0b", 0.5)
    assert len(told) == 1 and "it cannot be run" in told[0]


@pytest.mark.parametrize(("template", "words"), [("say 'x", "Check the quotes"), ("", "is empty"), ("  ", "is empty")])
def test_what_is_no_command(template: str, words: str) -> None:
    with pytest.raises(EdgeretrainError, match=words):
        LabelCommand(template)


def test_output_does_not_reach_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    """stdout may be JSON lines for a script."""
    command = LabelCommand(f"{sys.executable} -c 'print(1234)'")
    command.label("a", 0.5)
    while command._running is not None:
        command.poll()
        time.sleep(0.005)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "1234\n")
