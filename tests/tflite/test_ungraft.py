"""A classifier cut in two: the backbone that it was made from, and its head alone."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from support.garden import Run

from edgeretrain.backbone import find_backbone
from edgeretrain.data.pixels import load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.logistic import fit_logistic
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.flatbuffer import read_model, write_model
from edgeretrain.tflite.runtime import Network
from edgeretrain.tflite.ungraft import HeadModel, cut_backbone

pytest.importorskip("ai_edge_litert")
PRESET = "mobilenet_v2_100_224"
Pixels = list[npt.NDArray[np.uint8]]


def run_all(model: Path, pixels: Pixels) -> npt.NDArray[np.float32]:
    network = Network(model)
    return np.stack([network(one) for one in pixels])


@pytest.fixture(scope="module")
def pixels(textures: Path) -> Pixels:
    return [load_pixels(path, 224) for path in sorted(textures.rglob("*.*"))[::6]]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_backbone_again(run: Run, pixels: Pixels, tmp_path: Path, precision: Precision) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(cut_backbone(run.model(precision)))
    expected = run_all(find_backbone(PRESET, precision).path, pixels)
    assert np.array_equal(run_all(cut, pixels), expected)
    assert np.ptp(expected) > 1  # or zeros would do


@pytest.mark.parametrize("precision", PRECISIONS)
def test_real_photos(run: Run, tmp_path: Path, precision: Precision) -> None:
    if "EDGERETRAIN_PHOTOS" not in os.environ:
        pytest.skip("EDGERETRAIN_PHOTOS is not set")
    photos = sorted(Path(os.environ["EDGERETRAIN_PHOTOS"], "flower_photos").rglob("*.jpg"))[::200]
    pixels = [load_pixels(path, 224) for path in photos]
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(cut_backbone(run.model(precision)))
    bottlenecks = run_all(find_backbone(PRESET, precision).path, pixels)
    assert np.array_equal(run_all(cut, pixels), bottlenecks)
    assert np.array_equal(HeadModel(run.model(precision))(bottlenecks), run_all(run.model(precision), pixels))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_head_alone_says_what_the_whole_file_says(run: Run, pixels: Pixels, precision: Precision) -> None:
    head = HeadModel(run.model(precision))
    assert (head.length, head.outputs) == (1280, 3)
    alone = head(run_all(find_backbone(PRESET, precision).path, pixels))
    whole = run_all(run.model(precision), pixels)
    assert np.array_equal(alone, whole)
    assert len(np.unique(whole.argmax(axis=1))) == 3


@pytest.mark.parametrize(
    ("preset", "precision"), [*((PRESET, one) for one in PRECISIONS), ("mobilenet_v1_100_224", "int8")]
)
def test_another_head_on_it_gives_the_bytes_that_the_first_backbone_gives(
    tmp_path: Path, preset: str, precision: Precision
) -> None:
    backbone = find_backbone(preset, precision).path
    length = Network(backbone).outputs
    random = np.random.default_rng(0)
    values = random.uniform(0, 6, (12, length)).astype(np.float32)
    card = {"preset": preset, "backbone": {"weights": {"licence": "Apache-2.0"}}}

    def made(base: Path, classes: int) -> bytes:
        head = fit_logistic(values, np.arange(12) % classes, np.arange(12), classes, l2=0.1)
        return write_classifier(base, head, precision, values, labels=list("abcd")[:classes], card=card)

    (tmp_path / "three.tflite").write_bytes(made(backbone, 3))
    (tmp_path / "cut.tflite").write_bytes(cut_backbone(tmp_path / "three.tflite"))
    assert made(tmp_path / "cut.tflite", 4) == made(backbone, 4)
    assert made(tmp_path / "cut.tflite", 3) == (tmp_path / "three.tflite").read_bytes()


def test_the_head_has_nothing_of_the_backbone(run: Run, tmp_path: Path) -> None:
    from edgeretrain.tflite.ungraft import _cut_head

    assert len(_cut_head(run.model("int8"))) < 3 * 1280 + 4000


@pytest.mark.parametrize("cut", [lambda path: cut_backbone(path), lambda path: HeadModel(path)])
def test_what_has_no_head_of_ours(run: Run, tmp_path: Path, cut: object) -> None:
    assert callable(cut)
    for precision in PRECISIONS:
        with pytest.raises(EdgeretrainError, match="no head that edgeretrain appended"):
            cut(find_backbone(PRESET, precision).path)
    tree = read_model(run.model("float32"))
    tree.subgraphs[0].tensors[-1].name = "dense"
    (tmp_path / "other.tflite").write_bytes(write_model(tree))
    with pytest.raises(EdgeretrainError, match=r"other\.tflite: has no head that edgeretrain appended"):
        cut(tmp_path / "other.tflite")
    (tmp_path / "short.tflite").write_bytes(run.model("int8").read_bytes()[:300_000])
    with pytest.raises(EdgeretrainError, match=r"short\.tflite: the TFLite model is damaged"):
        cut(tmp_path / "short.tflite")
