"""What a folder is, before TensorFlow is asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.saved_model import open_saved_model
from edgeretrain.importers.signatures import Signature, choose_output, choose_signature, hub_size
from importers.modules import field, number_field


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "with saved_model.pb and variables in it"),
        (["keras_model.h5", "labels.txt"], "It holds keras_model.h5: give that file"),
        (["retrained_graph.pb"], "It holds retrained_graph.pb: give that file"),
        (["model.ckpt-0.index", "model.ckpt-0.data-00000-of-00001", "checkpoint"], "It is a checkpoint"),
        (["saved_model.pbtxt"], "a SavedModel in text form"),
        (["model.json", "group1-shard1of1.bin"], "a TensorFlow.js model"),
        (["a/saved_model.pb", "b/saved_model.pb"], "holds several SavedModels: a, b"),
    ],
)
def test_another_folder_is_told_what_it_is(tmp_path: Path, names: list[str], message: str) -> None:
    folder = tmp_path / "net"
    folder.mkdir()
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"1")
    with pytest.raises(EdgeretrainError, match=message) as caught:
        open_saved_model(folder, SourceOverrides())
    assert str(caught.value).startswith(str(folder))


def graph_with(*attached: bytes) -> Any:
    kept = SimpleNamespace(bytes_list=SimpleNamespace(value=list(attached)))
    return SimpleNamespace(collection_def={"hub_module_attachments": kept})


@pytest.mark.parametrize(
    ("attached", "size"),
    [
        (field(1, b"image_module_info") + field(2, field(1, number_field(1, 224) + number_field(2, 224))), 224),
        (field(1, b"image_module_info") + field(2, field(1, number_field(1, 96) + number_field(2, 96))), 96),
        (field(1, b"image_module_info") + field(2, field(1, number_field(1, 96) + number_field(2, 128))), None),
        (field(1, b"image_module_info") + field(2, b""), None),
        (field(1, b"something_else") + field(2, field(1, number_field(1, 96) + number_field(2, 96))), None),
        (b"\xff\xff\xff", None),
        (b"", None),
    ],
)
def test_the_size_that_a_hub_module_attaches(attached: bytes, size: int | None) -> None:
    assert hub_size(graph_with(field(1, b"another") + field(2, b"\x08\x01"), attached)) == size
    assert hub_size(SimpleNamespace(collection_def={})) is None


def signature(name: str, *outputs: str) -> Signature:
    return Signature(name, "photos:0", None, None, {output: f"{output}:0" for output in outputs})


def test_which_signature_and_output_are_taken() -> None:
    found = {
        one.name: one
        for one in (
            signature("default", "default"),
            signature("image_feature_vector", "a", "default"),
            signature("serving_default", "probabilities"),
        )
    }

    def chosen(layer: str | None) -> tuple[str, str | None, str | None]:
        signature, output, tensor = choose_signature(found, layer, "module")
        return signature.name, output, tensor

    assert chosen(None) == ("image_feature_vector", None, None)
    assert chosen("default") == ("default", None, None)
    assert chosen("serving_default:probabilities") == ("serving_default", "probabilities", None)
    assert chosen("a") == ("image_feature_vector", "a", None)
    assert chosen("serving_default:0") == ("image_feature_vector", None, "serving_default:0")
    assert chosen("pool/Mean:0") == ("image_feature_vector", None, "pool/Mean:0")
    assert choose_output(found["image_feature_vector"], "module") == "default"
    assert choose_output(found["serving_default"], "module") == "probabilities"
    del found["image_feature_vector"]
    assert chosen(None) == ("serving_default", None, None)
    with pytest.raises(EdgeretrainError, match=r"the signature s has several outputs: a, b\."):
        choose_output(signature("s", "a", "b"), "module")
    with pytest.raises(EdgeretrainError, match=r"several signatures that take a photo: x, y\."):
        choose_signature({"x": signature("x", "a"), "y": signature("y", "a")}, None, "module")
