"""Files as trees and back; damaged ones end in one clear line."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.flatbuffer import as_damaged_file, read_model, schema, write_model
from edgeretrain.tflite.runtime import Network

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def original() -> Path:
    return find_backbone("mobilenet_v2_100_224", "int8").path


def test_a_file_that_was_read_and_written_runs_the_same(original: Path) -> None:
    model = read_model(original)
    data = write_model(model)
    assert data[4:8] == b"TFL3"
    assert write_model(read_model(original)) == data
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), np.uint8)
    assert (Network(data)(pixels) == Network(original)(pixels)).all()


def test_what_was_written_reads_as_the_same_tree(original: Path, tmp_path: Path) -> None:
    model = read_model(original)
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(write_model(model))
    again = read_model(copy)
    assert len(again.buffers) == len(model.buffers) > 100
    for before, after in zip(model.buffers, again.buffers, strict=True):
        assert (before.data is None) == (after.data is None)
        assert before.data is None or before.data.tobytes() == after.data.tobytes()
    names = [tensor.name for tensor in model.subgraphs[0].tensors]
    assert [tensor.name for tensor in again.subgraphs[0].tensors] == names


def test_a_file_that_was_cut_off(original: Path, tmp_path: Path) -> None:
    good = original.read_bytes()
    path = tmp_path / "cut.tflite"
    for length in (0, 4, 8, 12, 100, 10_000, len(good) // 2, len(good) - 1000):
        path.write_bytes(good[:length])
        with pytest.raises(EdgeretrainError, match=r"cut\.tflite: ") as caught:
            read_model(path)
        assert "\n" not in str(caught.value)


def test_damage_gives_a_tree_or_a_clear_error(original: Path, tmp_path: Path) -> None:
    """A flatbuffer has no checksum, so damage may go unseen; but nothing else than EdgeretrainError may come out."""
    good = original.read_bytes()
    path = tmp_path / "damaged.tflite"
    rng = random.Random(4)
    refused = 0
    for _ in range(25):
        damaged = bytearray(good)
        for position in (rng.randrange(8, 400), rng.randrange(8, 60_000)):
            damaged[position] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        try:
            read_model(path)
        except EdgeretrainError:
            refused += 1
    assert refused > 2


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "a.tflite").write_bytes(b"PK\3\4" + bytes(100))
    for path in (tmp_path / "a.tflite", tmp_path / "none.tflite", tmp_path):
        with pytest.raises(EdgeretrainError, match=r"Give a \.tflite file"):
            read_model(path)


def test_an_error_of_ours_passes_through() -> None:
    with pytest.raises(EdgeretrainError, match=r"^ours$"), as_damaged_file(Path("x")):
        raise EdgeretrainError("ours")
    with pytest.raises(KeyboardInterrupt), as_damaged_file(Path("x")):
        raise KeyboardInterrupt


def test_without_litert_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(EdgeretrainError, match="pip install ai-edge-litert"):
        schema()
