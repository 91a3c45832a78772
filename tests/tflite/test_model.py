"""Editing a file: what is added can be read again and runs, what is shared stays as it was."""

from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.flatbuffer import schema
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quantized import Quantization
from edgeretrain.tflite.runtime import Runner

pytest.importorskip("ai_edge_litert")


def empty() -> Model:
    """A file without tensors and operators."""
    tree, graph = schema().ModelT(), schema().SubGraphT()
    tree.version, tree.subgraphs, tree.buffers, tree.operatorCodes = 3, [graph], [schema().BufferT()], []
    graph.tensors, graph.operators, graph.inputs, graph.outputs = [], [], [], []
    return Model(tree)


def doubled_plus(constant: float) -> Model:
    """2 x + a constant: float32 `[1,4]` -> `[1,4]`."""
    model = empty()
    given = model.add_tensor("given", (1, 4), np.float32)
    two = model.add_constant("two", np.float32([2]))
    added = model.add_constant("added", np.full((1, 4), constant, np.float32))
    double, result = (model.add_tensor(name, (1, 4), np.float32) for name in ("double", "result"))
    model.add_operator("ADD", [double, added], result, schema().AddOptionsT())
    model.add_operator("MUL", [given, two], double, schema().MulOptionsT(), place=0)
    model.set_input(given)
    model.graph.outputs = [result]
    return model


def ran(model: Model) -> list[float]:
    values: list[float] = Runner(model.write()).run(np.float32([[1, 2, 3, 4]])).reshape(-1).tolist()
    return values


@pytest.fixture(scope="module")
def int8() -> Model:
    return Model.read(find_backbone("mobilenet_v2_100_224", "int8").path)


def test_what_is_added_runs() -> None:
    model = doubled_plus(0.5)
    assert ran(model) == [2.5, 4.5, 6.5, 8.5]
    again = Model.read(model.write())
    assert [again.kind(operator) for operator in again.operators] == ["MUL", "ADD"]
    assert (again.inputs, again.outputs) == ((0,), (4,))
    added = again.constant(2)
    assert added is not None and (added.dtype, added.tolist()) == (np.float32, [[0.5] * 4])
    assert again.constant(0) is None
    assert again.dtype(0) == "float32"
    assert [place for _, place in again.consumers()[2]] == [1]


def test_a_copy_is_edited_alone() -> None:
    model = doubled_plus(0.5)
    model.tree.metadata = None
    before = model.write()
    other = model.copy()
    assert other.write() == before
    other.set_constant(2, np.zeros((1, 4), np.float32))
    other.tensors[0].name = "else"
    other.operators[0].inputs = [1, 1]
    other.operator_code("MUL", 3)
    other.add_operator("MUL", [3, 1], 4, schema().MulOptionsT())
    other.set_metadata("note", b"n")
    assert model.write() == before
    assert other.write() != before


def test_an_operator_code_is_shared_where_it_is_the_same(int8: Model) -> None:
    model = int8.copy()
    kinds = model.kinds()
    known = next(number for number, kind in enumerate(kinds) if kind.name == "CONV_2D")
    assert model.operator_code("CONV_2D", kinds[known].version) == known
    assert model.operator_code("CONV_2D", 99) == len(kinds)
    assert model.kinds()[-1].version == 99
    assert model.operator_code("CONV_2D", 99) == len(kinds)


def test_an_operator_code_beyond_the_one_byte_field() -> None:
    model = empty()
    model.operator_code("GELU", 1)
    (code,) = model.tree.operatorCodes
    assert code.deprecatedBuiltinCode == 127 < code.builtinCode
    assert Model.read(model.write()).kinds()[0].name == "GELU"


def test_a_code_of_an_old_writer_is_not_taken_for_an_addition() -> None:
    """Before schema 3a only the one-byte field was written; the other one then reads 0, which stands for ADD."""
    model = empty()
    model.operator_code("CONV_2D", 1)
    model.tree.operatorCodes[0].builtinCode = 0
    assert model.kinds()[0].name == "CONV_2D"
    assert model.operator_code("ADD", 1) == 1


def test_a_constant_that_shares_its_buffer_gets_its_own() -> None:
    model = doubled_plus(0.5)
    buffers = len(model.tree.buffers)
    model.set_constant(2, np.full((1, 4), 1, np.float32))
    assert len(model.tree.buffers) == buffers and ran(model) == [3, 5, 7, 9]
    twin = model.add_copy(2, "twin")
    model.set_constant(2, np.full((1, 4), 3, np.float32))
    assert len(model.tree.buffers) == buffers + 1 and ran(model) == [5, 7, 9, 11]
    kept = model.constant(twin)
    assert kept is not None and kept.tolist() == [[1] * 4]


def test_quantization() -> None:
    model = empty()
    whole = model.add_constant("whole", np.int8([[1, 2]]), Quantization(0.5, -3))
    channels = model.add_constant("channels", np.int8([[1], [2]]))
    model.set_scales(channels, [0.25, 0.125], [0, 0], axis=0)
    plain = model.add_tensor("plain", (1,), np.uint8)
    again = Model.read(model.write())
    assert again.quantization(whole) == Quantization(0.5, -3)
    assert again.quantization(channels) == Quantization(0.25, 0)
    assert again.quantization(plain) == Quantization(0, 0)
    assert again.tensors[channels].quantization.scale.tolist() == [0.25, 0.125]


def test_prune_drops_what_nothing_refers_to() -> None:
    model = doubled_plus(0.5)
    model.set_metadata("kept", b"k")
    model.set_metadata("dropped", b"x" * 1000)
    model.add_buffer(b"y" * 1000)
    model.drop_metadata("dropped")
    before = len(model.tree.buffers)
    model.prune()
    assert len(model.tree.buffers) == before - 2
    again = Model.read(model.write())
    assert ran(again) == [2.5, 4.5, 6.5, 8.5]
    assert again.metadata("kept") == b"k" and again.metadata("dropped") is None
    assert b"xxxx" not in again.write() and b"yyyy" not in again.write()


def test_metadata_of_a_name_is_there_once() -> None:
    model = empty()
    model.set_metadata("note", b"first")
    model = Model.read(model.write())
    model.set_metadata("note", b"second")
    assert model.metadata("note") == b"second" and len(model.tree.metadata) == 1


def test_all_subgraphs_share_buffers_and_codes() -> None:
    model = doubled_plus(0.5)
    model.tree.subgraphs.append(doubled_plus(0.25).copy().graph)
    first, second = model.all_subgraphs()
    assert first.graph is model.graph and second.graph is model.tree.subgraphs[1]
    second.add_constant("more", np.float32([1, 2]))
    assert len(second.tensors) == len(first.tensors) + 1
    assert first.tree is second.tree


def test_constants_that_numpy_does_not_have() -> None:
    model = empty()
    tensor = model.add_constant("weights", np.int8([1, 2]))
    model.tensors[tensor].type = schema().TensorType.INT4
    with pytest.raises(EdgeretrainError, match=r"The model: its constant weights is INT4, which is not supported"):
        model.constant(tensor)
    model.tensors[tensor].type = schema().TensorType.INT8
    model.tensors[tensor].sparsity = schema().SparsityParametersT()
    with pytest.raises(EdgeretrainError, match="its constant weights is sparse"):
        model.constant(tensor)


def test_bytes_that_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"The model: the TFLite model is damaged"):
        Model.read(b"\x1c\0\0\0TFL3")
    model = empty()
    model.tree.subgraphs = []
    (tmp_path / "none.tflite").write_bytes(model.write())
    with pytest.raises(EdgeretrainError, match=r"none\.tflite: the TFLite model is damaged"):
        Model.read(tmp_path / "none.tflite")
