"""`edgeretrain cache`: what is kept is shown and removed, and nothing else."""

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
from support.own_backbone import put_own_backbone

from cli.conftest import Run, snapshot

HEX = "0123456789abcdef" * 2
HDF5 = b"\x89HDF\r\n\x1a\n"
WEIGHTS = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_128_no_top.h5"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with one thing of each kind, used 10 days ago, and what is the user's among them."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(cache))
    put_own_backbone()
    card = json.loads((cache / "backbones" / "my_net.int8.json").read_text())
    built = cache / "backbones" / "mobilenet_v2_035_128.int8.tflite"
    built.write_bytes(b"model")
    built.with_suffix(".json").write_text(json.dumps({**card, "preset": "mobilenet_v2_035_128"}))
    for name in ("bottlenecks", "weights", f"sources/{HEX}", f"fine_tuning/{HEX}"):
        (cache / name).mkdir(parents=True)
    with sqlite3.connect(cache / "bottlenecks" / f"{HEX}.sqlite") as database:
        database.execute("CREATE TABLE bottlenecks (photo BLOB)")
    database.close()
    (cache / "bottlenecks" / f"{HEX}.sqlite-journal").write_bytes(b"journal")
    (cache / "weights" / WEIGHTS).write_bytes(HDF5)
    (cache / "sources" / HEX / "net.keras").write_bytes(b"net")
    (cache / "fine_tuning" / HEX / "photos.256.uint8").write_bytes(b"photos")
    for path in cache.rglob("*"):
        os.utime(path, (time.time() - 10 * 86_400,) * 2)
    return cache


@pytest.fixture
def mine(kept: Path) -> dict[str, str]:
    """What looks nearly like edgeretrain's, but is the user's."""
    put = {
        "thesis.txt": b"mine",
        "bottlenecks/notes.sqlite": b"SQLite format 3\0",
        f"bottlenecks/{'a' * 32}.sqlite": b"mine, and no database",
        "backbones/other.int8.tflite": b"without a card",
        "backbones/notes.json": b"{}",
        "weights/my_model.h5": HDF5,
        "weights/" + WEIGHTS.replace("128", "160"): b"mine, and no HDF5",
        "sources/thesis/thesis.txt": b"mine",
        f"fine_tuning/{'b' * 32}/thesis.txt": b"mine",
    }
    for name, content in put.items():
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_bytes(content)
    (kept / "sources" / ("c" * 32)).symlink_to(kept / "sources" / "thesis")
    return {name: digest for name, digest in snapshot(kept).items() if name in put}


def test_the_list(cli: Run, kept: Path) -> None:
    out = cli("cache", "list").succeeds().out
    rows = [line.split() for line in out.splitlines()]
    assert [row[:2] for row in rows[1:-1]] == [
        ["bottlenecks", "1"],
        ["backbones", "1"],
        ["own-backbones", "1"],
        ["weights", "1"],
        ["sources", "1"],
        ["fine-tuning", "1"],
    ]
    assert {row[-1] for row in rows[1:-1]} == {"10"}
    assert out.endswith(f" MB in {kept}\n")
    listed = json.loads(cli("cache", "list", "--json").succeeds().out)
    assert listed["folder"] == str(kept)
    assert listed["bytes"] == sum(path.stat().st_size for path in kept.rglob("*") if path.is_file())
    assert [entry["unused_days"] for entry in listed["kept"]] == [10.0] * 6  # to list is not to use


def test_what_is_not_ours_is_neither_listed_nor_removed(cli: Run, kept: Path, mine: dict[str, str]) -> None:
    assert len(json.loads(cli("cache", "list", "--json").succeeds().out)["kept"]) == 6
    cli("cache", "clear").succeeds()
    cli("cache", "clear", "own-backbones").succeeds()
    assert {name: digest for name, digest in snapshot(kept).items() if digest != "folder"} == {
        **mine,
    }
    assert (kept / "sources" / ("c" * 32)).is_symlink()


def test_prune_removes_what_was_not_used(cli: Run, kept: Path) -> None:
    fresh = kept / "weights" / WEIGHTS
    os.utime(fresh)
    assert cli("cache", "prune").succeeds().out == "Removed 0, 0.00 MB.\n"
    removed = json.loads(cli("cache", "prune", "--unused-for", 7, "--json").succeeds().out)["removed"]
    assert [entry["kind"] for entry in removed] == ["bottlenecks", "backbones", "sources", "fine-tuning"]
    assert {path.name for path in kept.rglob("*") if path.is_file()} == {
        WEIGHTS,
        "my_net.int8.tflite",
        "my_net.int8.json",
    }


def test_clear_removes_what_is_named(cli: Run, kept: Path) -> None:
    cli("cache", "clear", "bottlenecks", "sources").succeeds()
    assert not list((kept / "bottlenecks").iterdir()) and not list((kept / "sources").iterdir())
    assert (kept / "weights" / WEIGHTS).is_file()
    cli("cache", "clear", "everything").fails("'everything'", "own-backbones")


def test_an_empty_cache(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "nowhere"))
    assert cli("cache", "list").succeeds().out == f"0.00 MB in {tmp_path / 'nowhere'}\n"
    assert cli("cache", "clear").succeeds().out == "Removed 0, 0.00 MB.\n"
    assert not (tmp_path / "nowhere").exists()
