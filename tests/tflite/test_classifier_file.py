"""A finished file: everything in it at once."""

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.head.softmax import Head
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.inspect import inspect_model
from edgeretrain.version import __version__

pytest.importorskip("ai_edge_litert")
LABELS = ("one", "two", "Größe 🌹", "4")
CARD = {"preset": "p", "fit": "crop", "backbone": {"weights": {"licence": "MIT"}}}


def made(precision: Precision, **card: object) -> bytes:
    random = np.random.default_rng(0)
    head = Head(random.normal(0, 0.1, (1280, 4)).astype(np.float32), np.zeros(4, np.float32))
    values = random.uniform(0, 6, (9, 1280)).astype(np.float32)
    backbone = find_backbone("mobilenet_v2_100_224", precision).path
    return write_classifier(backbone, head, precision, values, labels=LABELS, card=CARD | card)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_finished_file(precision: Precision, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    content = made(precision)
    assert made(precision) == content
    path.write_bytes(content)
    found = inspect_model(path)
    assert found["labels"] == list(LABELS)
    assert found["card"]["fit"] == "crop" and len(found["card"]["flatbuffer_sha256"]) == 64
    assert found["description"] == f"edgeretrain {__version__}"
    assert found["metadata"].count("TFLITE_METADATA") == 1
    assert b"MIT" in content and f"p {precision}".encode() in content
    backbone = find_backbone("mobilenet_v2_100_224", precision).path.stat().st_size
    # Four classes cost 20 kB of weights at the most; metadata, labels and card some more.
    assert 0 < path.stat().st_size - backbone < 32_000


def test_a_licence_that_nobody_knows() -> None:
    assert b"unknown" in made("int8", backbone={})


def test_a_head_for_another_backbone() -> None:
    head = Head(np.zeros((1024, 2), np.float32), np.zeros(2, np.float32))
    backbone = find_backbone("mobilenet_v2_100_224", "int8").path
    with pytest.raises(EdgeretrainError, match=r"not int8 \[1, 1024\]"):
        write_classifier(backbone, head, "int8", np.zeros((1, 1024), np.float32), labels=("a", "b"), card=CARD)
