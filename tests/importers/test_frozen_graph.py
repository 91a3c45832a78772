"""Frozen graphs as sources of backbones: real ones, and files that are none."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.old_graphs import download_nudity, graph_of, photos, run, slim, slim_body, write

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError

pytestmark = pytest.mark.tensorflow
pytest.importorskip("tensorflow")

from edgeretrain.backbone.build import run_source  # noqa: E402
from edgeretrain.backbone.contract import bottlenecks_of  # noqa: E402
from edgeretrain.importers.build import build_from_source  # noqa: E402
from edgeretrain.importers.sources import open_source  # noqa: E402

POOLED = "MobilenetV1/Logits/AvgPool_1a/AvgPool:0"


@pytest.fixture(scope="module")
def nudity(cache: Path) -> Path:
    return download_nudity(cache / "nudity")


def real_photos(folder: Path, name: str, each: int) -> Path:
    """`each` photos of every class of a real photo set, as links."""
    root = Path(os.environ.get("EDGERETRAIN_PHOTOS", "")) / name
    if not os.environ.get("EDGERETRAIN_PHOTOS") or not root.is_dir():
        pytest.skip(f"EDGERETRAIN_PHOTOS has no {name}")
    for label in sorted(path for path in root.iterdir() if path.is_dir()):
        (folder / label.name).mkdir(parents=True)
        for photo in sorted(label.iterdir())[:each]:
            (folder / label.name / photo.name).symlink_to(photo.resolve())
    return folder


def test_a_poets_graph_becomes_a_backbone_that_retrains(nudity: Path, tmp_path: Path) -> None:
    import tensorflow as tf
    from support.plain import retrain

    from edgeretrain.data.pixels import load_pixels

    set_of_photos = real_photos(tmp_path / "trashnet", "trashnet", 20)
    out = tmp_path / "backbones"
    built, found = build_from_source(
        "poets", str(nudity), ["float32", "int8"], overrides=SourceOverrides(), calibration=None, out=out
    )
    assert found[0] == "Input: input:0, 224 pixels, values -1..1 (as slim's MobileNet is trained)."
    assert found[1].startswith(f"Bottleneck: {POOLED}, 1,024 values. --layer could also be ")
    card = json.loads((out / "poets.float32.json").read_text())
    assert card["parameters"] == 3_228_864  # MobileNet V1 1.0 without classifier, as Keras counts it
    assert card["source"] == {
        "kind": "frozen graph",
        "file": "retrained_graph.pb",
        "sha256": "3b90af536f810f5f75e9f6d431bc2e8a3c4fc2ff4f693aa0dd4ae429816f8735",
        "input": "input:0",
        "scale": "-1..1",
        "layer": POOLED,
    }
    int8 = json.loads((out / "poets.int8.json").read_text())
    assert int8["calibration"]["steps"] == ["depthwise rounding", "bias correction"]

    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(nudity.read_bytes())
    pixels = np.stack([load_pixels(path, 224, "squash") for path in sorted(set_of_photos.rglob("*.jpg"))[::40]])
    expected = run(graph_def, "input:0", POOLED, Scaling.between(-1, 1)(pixels))
    actual = bottlenecks_of(built[0].path.read_bytes(), pixels)
    assert np.abs(actual - expected).max() <= 1e-4 * np.abs(expected).max()

    for one in built:
        report = retrain(
            set_of_photos, tmp_path / "run", backbone=one.path, precisions=[one.precision], cache=tmp_path / "cache"
        )
        (model,) = report["models"]
        assert model["backbone"]["source"]["file"] == "retrained_graph.pb"
        # Six classes, 14 photos each to learn from: chance is 17 %.
        assert model["evaluation"]["top1"] > 0.4


def test_what_is_said_goes_first(tmp_path: Path) -> None:
    path = write(graph_of(slim), tmp_path / "slim.pb")
    source = open_source(
        str(path), SourceOverrides(scaling=Scaling.between(0, 1), layer="MobilenetV1/Predictions/Reshape")
    )
    assert source.notes[0] == "Input: input:0, 32 pixels, values 0..1 (from --scale)."
    assert "Reshape:0, 1,001 values" in source.notes[1]
    expected = run(graph_of(slim), "input:0", "MobilenetV1/Predictions/Reshape:0", Scaling.between(0, 1)(photos()))
    np.testing.assert_allclose(run_source(source, photos()), expected, atol=1e-4)
    assert source.card["source"]["scale"] == "0..1"


def unknown_scale(tf: Any) -> None:
    tf.reduce_mean(slim_body(tf, tf.placeholder(tf.float32, (1, 32, 32, 3), name="x"), "Net"), (1, 2))


def test_a_scale_that_nothing_tells_must_be_said(tmp_path: Path) -> None:
    path = write(graph_of(unknown_scale), tmp_path / "net.pb")
    with pytest.raises(EdgeretrainError, match=r"net\.pb: does not say which pixel values .*x:0.* --scale=-1\.\.1"):
        open_source(str(path), SourceOverrides())
    assert open_source(str(path), SourceOverrides(scaling=Scaling.between(-1, 1))).size == 32


def trained_for_int8(tf: Any) -> None:
    def rounded(values: Any) -> Any:
        return tf.quantization.fake_quant_with_min_max_vars(values, 0.0, 6.0)

    values = slim_body(tf, tf.placeholder(tf.float32, (None, 32, 32, 3), name="input"), "MobilenetV1")
    values = rounded(tf.nn.avg_pool2d(rounded(values), 4, 1, "VALID", name="pool"))
    kernel = np.random.default_rng(0).normal(size=(24, 5)).astype(np.float32)
    tf.nn.softmax(tf.matmul(tf.reshape(values, (1, 24)), kernel))


def test_fake_quantization_is_left_out(tmp_path: Path) -> None:
    path = write(graph_of(trained_for_int8), tmp_path / "quant.pb")
    built, found = build_from_source(
        "quant", str(path), ["float32", "int8"], overrides=SourceOverrides(), calibration=None, out=tmp_path
    )
    assert found[1].startswith("Bottleneck: pool:0, 24 values.")
    assert "fake quantization is left out" in found[2]
    float32, int8 = (bottlenecks_of(one.path.read_bytes(), photos()) for one in built)
    expected = run(graph_of(trained_for_int8), "input:0", "pool:0", Scaling.between(-1, 1)(photos()))
    assert 1e-4 < np.abs(float32 - expected).max() < 6 / 255  # a step of its rounding
    assert np.abs(int8 - float32).max() < 0.1 * np.abs(float32).max()


def _saved_model() -> bytes:
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel(saved_model_schema_version=1)
    saved.meta_graphs.add().graph_def.CopyFrom(graph_of(slim))
    return bytes(saved.SerializeToString())


def _checkpoint_graph() -> bytes:
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    meta = MetaGraphDef()
    meta.meta_info_def.tensorflow_version = "1.12.0"
    meta.graph_def.CopyFrom(graph_of(slim))
    return bytes(meta.SerializeToString())


FILES: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "empty": (lambda: b"", ("is empty",)),
    "cut off": (lambda: graph_of(slim).SerializeToString()[:-1000], ("cut off or damaged",)),
    "noise": (lambda: np.random.default_rng(0).bytes(5000), ("is not a frozen TensorFlow graph",)),
    "a photo": (lambda: b"\xff\xd8\xff\xe0" + bytes(500), ("is not a frozen TensorFlow graph",)),
    "text": (lambda: str(graph_of(slim)).encode(), ("a graph as text", "binary .pb")),
    "SavedModel": (_saved_model, ("SavedModel", "Give the folder")),
    "checkpoint": (_checkpoint_graph, (".meta", "freeze_graph")),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(500), ("Keras file", "Name it .h5")),
    "tflite": (lambda: b"\x1c\0\0\0TFL3" + bytes(500), ("a .tflite file", "Name it .tflite")),
    "gzip": (lambda: gzip.compress(graph_of(slim).SerializeToString()), ("compressed", "Unpack")),
    "LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", ("git lfs pull",)),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_are_no_frozen_graph(kind: str, tmp_path: Path) -> None:
    make, words = FILES[kind]
    path = tmp_path / "old.pb"
    path.write_bytes(make())
    with pytest.raises(EdgeretrainError) as error:
        open_source(str(path), SourceOverrides())
    for word in ("old.pb", *words):
        assert word in str(error.value)


def test_every_cut_is_told(tmp_path: Path) -> None:
    """A download that broke off anywhere within a node ends in one line."""
    data = graph_of(slim).SerializeToString()
    path = tmp_path / "old.pb"
    for length in range(1, len(data), len(data) // 40):
        path.write_bytes(data[:length])
        with pytest.raises(EdgeretrainError, match=r"old\.pb"):
            open_source(str(path), SourceOverrides())
