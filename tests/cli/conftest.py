"""The command line as a user meets it: run in this process where speed matters, in one of its own where it must."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeretrain.cli import main

LABELS = ("bricks", "grass")
_PROGRESS = re.compile(r".+: \d+ of \d+(, about .+ left)?")


@dataclass(frozen=True)
class Outcome:
    """What a command did: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    @property
    def told(self) -> list[str]:
        """The lines on standard error that are not progress."""
        return [line for line in self.err.splitlines() if not _PROGRESS.fullmatch(line)]

    def fails(self, *words: str, code: int = 1) -> str:
        """Check that it ended in one clear line that has all these words; the line."""
        assert self.code == code, self
        assert len(self.told) == 1, self.err
        line = self.told[0]
        assert line.startswith("error: "), line
        assert line.endswith((".", "`", "-litert", "tensorflow")), line  # a sentence, or a command to run
        for word in words:
            assert word in line, line
        return line

    def succeeds(self) -> "Outcome":
        assert self.code == 0, self.err
        assert self.told == [], self.err
        return self


Run = Callable[..., Outcome]


def make_photos(folder: Path, *, labels: tuple[str, ...] = LABELS, count: int = 6, side: int = 48) -> Path:
    """Noise in a colour for each class: PNGs that a backbone tells apart."""
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for index in range(count):
            pixels = np.random.default_rng([number, index]).integers(0, 80, (side, side, 3), dtype=np.uint8)
            pixels[..., number % 3] += 120
            Image.fromarray(pixels).save(folder / label / f"{index}.png")
    return folder


def snapshot(folder: Path) -> dict[str, str]:
    """Everything below a folder, hidden files too: path -> SHA-256, or `folder`."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in folder.rglob("*")
    }


@pytest.fixture(autouse=True)
def _no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is buildable must not depend on the machine."""
    monkeypatch.delenv("EDGERETRAIN_WEIGHTS", raising=False)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of six photos, to be spoilt at will."""
    return make_photos(tmp_path / "photos")


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process."""

    def run(*arguments: Any) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["edgeretrain", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        assert isinstance(ended.value.code, int)
        return Outcome(ended.value.code, captured.out, captured.err)

    return run


@pytest.fixture
def refused(cli: Run, tmp_path: Path) -> Callable[..., str]:
    """Run a command that must fail in one line and leave everything as it was; the line."""

    def run(*arguments: Any, says: tuple[str, ...], code: int = 1) -> str:
        before = snapshot(tmp_path)
        line = cli(*arguments).fails(*says, code=code)
        assert snapshot(tmp_path) == before
        return line

    return run


@pytest.fixture
def process() -> Run:
    """Run a command in a process of its own, as `python -m edgeretrain`."""

    def run(*arguments: Any, **options: Any) -> Outcome:
        ended = subprocess.run(command(*arguments), capture_output=True, timeout=300, **options)
        out, err = (stream.decode(errors="surrogateescape") for stream in (ended.stdout, ended.stderr))
        assert "Traceback" not in err, err
        return Outcome(ended.returncode, out, err)

    return run


def command(*arguments: Any) -> list[str]:
    return [sys.executable, "-m", "edgeretrain", *(os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments)]


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of six photos that no test changes."""
    return make_photos(tmp_path_factory.mktemp("photos") / "photos")


@pytest.fixture(scope="session")
def run_folder(photo_folder: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run on `photo_folder` with models in float32 and int8."""
    from edgeretrain import retrain

    out = tmp_path_factory.mktemp("run") / "run"
    retrain(photo_folder, out, cache=cache)
    before = snapshot(out)
    yield out
    assert snapshot(out) == before, "a test changed the shared run folder"


Refused = Callable[..., str]


@pytest.fixture
def retrain(refused: Refused, tmp_path: Path) -> Refused:
    """`edgeretrain retrain` that must be refused."""

    def run(*arguments: Any, says: tuple[str, ...], code: int = 1) -> str:
        out = () if "--out" in arguments else ("--out", tmp_path / "run")
        return refused("retrain", *arguments, *out, "--quiet", says=says, code=code)

    return run
