"""`edgeretrain sweep` as a user meets it."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Outcome, command
from edgeretrain.errors import EdgeretrainError

Cli = Callable[..., Outcome]
Refused = Callable[..., str]

V2 = ("--presets", "mobilenet_v2_100_224")


@pytest.fixture(autouse=True)
def _no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)


def test_the_table_the_page_and_the_pick(cli: Cli, photo_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "sweep"
    done = cli("sweep", photo_folder, "-o", out, *V2, "--precisions", "float32,int8", "--max-size", "9MB", "-q")
    assert done.code == 0, done.err
    assert "mobilenet_v2_100_224" in done.out
    assert "int8" in done.out
    assert str(out / "report.html") in done.out.replace("\n", "")
    result = json.loads((out / "sweep.json").read_text())
    assert [candidate["precision"] for candidate in result["candidates"]] == ["float32", "int8"]
    assert all(candidate["latency_ms"] > 0 for candidate in result["candidates"])
    assert result["latency"]["environment"]
    again = cli(
        "sweep", photo_folder, "-o", out, *V2, "-p", "float32", "-p", "int8", "--max-size", "9MB", "-q", "--json"
    )
    assert json.loads(again.out) == result  # nothing was measured again either


def test_nothing_fits(cli: Cli, photo_folder: Path, tmp_path: Path) -> None:
    done = cli(
        "sweep", photo_folder, "-o", tmp_path / "s", *V2, "-p", "int8", "--no-latency", "--max-size", "900kB", "-q"
    )
    assert done.code == 1
    assert "900,000" in done.out
    assert done.told == []


def test_where_the_results_go_by_default(
    cli: Cli, photo_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("sweep", photo_folder, *V2, "-p", "int8", "--no-latency", "-q").code == 0
    assert (tmp_path / "photos-sweep" / "sweep.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--max-size", "1 parsec"), ("--max-size", "1 parsec", "1MB")),
        (("--max-size", "0"), ("--max-size",)),
        (("--max-size", "0.4"), ("--max-size",)),
        (("--max-latency", "fast"), ("--max-latency", "20ms")),
        (("--max-latency", "20ms", "--no-latency"), ("--no-latency",)),
        (("--min-accuracy", "120%"), ("--min-accuracy", "120")),
        (("--min-accuracy", "90"), ("--min-accuracy", "9000")),
        (("--presets", "resnet*"), ("resnet*", "edgeretrain presets")),
        (("--presets", "mobilenet_v2_100_223"), ("mobilenet_v2_100_223", "Nearest")),
        (("--presets", ","), ("--presets",)),
        (("--precisions", "int4"), ("int4", "int8")),
        (("--device", "pi@host"), ("pi@host", "ssh://")),
        (("--fit", "stretch"), ("--fit", "stretch")),
    ],
)
def test_what_cannot_be_meant_is_refused(
    refused: Refused, photos: Path, tmp_path: Path, arguments: tuple[str, ...], says: tuple[str, ...]
) -> None:
    refused("sweep", photos, "-o", tmp_path / "sweep", *arguments, "-q", says=says)


def test_no_threads_are_refused(refused: Refused, photos: Path, tmp_path: Path) -> None:
    refused("sweep", photos, "-o", tmp_path / "sweep", "--threads", "0", "-q", says=("--threads",))


def test_a_folder_without_classes(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused("sweep", tmp_path / "empty", "-o", tmp_path / "sweep", "-q", says=(str(tmp_path / "empty"),))


@pytest.mark.parametrize(
    ("text", "units", "value"),
    [
        ("1MB", "_SIZES", 1e6),
        ("1.5 mib", "_SIZES", 1.5 * 2**20),
        ("900000", "_SIZES", 900000),
        ("20", "_TIMES", 20),
        ("0.02s", "_TIMES", 20),
        ("500us", "_TIMES", 0.5),
        ("90%", "_SHARES", 0.9),
        (".9", "_SHARES", 0.9),
    ],
)
def test_amounts(text: str, units: str, value: float) -> None:
    from edgeretrain.cli import sweep

    assert sweep.parse_amount("--x", text, getattr(sweep, units), "1") == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "-1MB", "1,5MB", "MB", "1e", "nan", "1MBx"])
def test_amounts_that_are_none(text: str) -> None:
    from edgeretrain.cli import sweep

    with pytest.raises(EdgeretrainError, match="--x"):
        sweep.parse_amount("--x", text, sweep._SIZES, "1MB")


def test_three_kills_change_nothing(photo_folder: Path, tmp_path: Path, cache: Path) -> None:
    """Killed while the first preset is retrained, between the two, and while the second is retrained."""
    arguments = ("--presets", "mobilenet_v?_100_224", "-p", "float32,int8", "--no-latency", "-q")
    out = tmp_path / "sweep"
    first, second = out / "mobilenet_v1_100_224", out / "mobilenet_v2_100_224"

    def killed_when(reached: Callable[[], Any]) -> bool:
        # A cache of its own, or the bottlenecks would be there already.
        started = subprocess.Popen(command("sweep", photo_folder, "-o", out, *arguments), env=_own_cache(tmp_path))
        while started.poll() is None and not reached():
            time.sleep(0.002)
        started.send_signal(signal.SIGKILL)
        return started.wait() == -signal.SIGKILL

    assert killed_when(lambda: list(out.glob(".mobilenet_v1_100_224.partial-*")))
    assert not first.exists()
    assert killed_when(lambda: first.exists())
    assert killed_when(lambda: list(out.glob(".mobilenet_v2_100_224.partial-*")))
    assert not (out / "sweep.json").exists()
    undisturbed = tmp_path / "undisturbed" / "sweep"
    for folder in (out, undisturbed):
        ended = subprocess.run(command("sweep", photo_folder, "-o", folder, *arguments), env=_own_cache(tmp_path))
        assert ended.returncode == 0
    assert (out / "sweep.json").read_bytes() == (undisturbed / "sweep.json").read_bytes()
    assert (out / "report.html").read_bytes() == (undisturbed / "report.html").read_bytes()
    assert (second / "report.html").read_bytes() == (undisturbed / second.name / "report.html").read_bytes()
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    shutil.rmtree(tmp_path / "cache")


def _own_cache(tmp_path: Path) -> dict[str, str]:
    import os

    return {**os.environ, "EDGERETRAIN_CACHE": str(tmp_path / "cache")}
