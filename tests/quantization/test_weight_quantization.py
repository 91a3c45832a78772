"""float16 and dynamic files made from a float32 one, against the bundled ones (against TensorFlow: test_convert)."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import interpreted

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.quantization.weight_quantization import MIN_FLOAT16_SIZE, MIN_INT8_SIZE, to_dynamic, to_float16
from edgeretrain.tflite.flatbuffer import schema
from edgeretrain.tflite.model import Model

MODELS = Path(__file__).parents[2] / "models"
PRESET = "mobilenet_v2_100_224"


@pytest.fixture(scope="module")
def float32() -> Model:
    pytest.importorskip("ai_edge_litert")
    return Model.read(MODELS / f"{PRESET}.float32.tflite")


def photos(count: int = 2) -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (count, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def constants(model: Model) -> list[tuple[int, int]]:
    """Type and count of the numbers of every constant tensor but the axes of the mean."""
    tensors = [tensor for graph in model.tree.subgraphs for tensor in graph.tensors]
    held = [(tensor.type, int(np.prod(tensor.shape)), model.tree.buffers[tensor.buffer].data) for tensor in tensors]
    return [(kind, size) for kind, size, data in held if data is not None and kind != schema().TensorType.INT32]


def versions(model: Model) -> dict[int, int]:
    return {code.builtinCode: code.version for code in model.tree.operatorCodes}


def test_dynamic_gives_the_bottlenecks_of_the_bundled_file_to_the_last_bit(float32: Model) -> None:
    path = MODELS / f"{PRESET}.dynamic.tflite"
    made = to_dynamic(float32)
    assert np.array_equal(bottlenecks_of(made, photos()), bottlenecks_of(path.read_bytes(), photos()))
    assert versions(Model.read(made)) == versions(Model.read(path))
    assert sorted(constants(Model.read(made))) == sorted(constants(Model.read(path)))
    assert len(made) <= path.stat().st_size


def test_float16_gives_the_bottlenecks_of_the_bundled_file(float32: Model) -> None:
    path = MODELS / f"{PRESET}.float16.tflite"
    made = to_float16(float32)
    theirs = bottlenecks_of(path.read_bytes(), photos())
    exact = bottlenecks_of(float32.write(), photos())
    # TensorFlow's own may differ in the last bits: it rounds the scaling of the pixels, too.
    assert np.abs(bottlenecks_of(made, photos()) - theirs).max() < 5e-3 * theirs.max()
    assert np.abs(bottlenecks_of(made, photos()) - exact).mean() <= np.abs(theirs - exact).mean()
    assert versions(Model.read(made)) == versions(Model.read(path))
    types = schema().TensorType
    assert {(kind, size < MIN_FLOAT16_SIZE) for kind, size in constants(Model.read(made))} == {
        (types.FLOAT16, False),
        (types.FLOAT32, True),
    }
    assert len(made) < 0.51 * len(float32.write())


@pytest.mark.parametrize("narrow", [to_float16, to_dynamic])
def test_the_float32_model_is_not_changed(float32: Model, narrow: Any) -> None:
    before = float32.write()
    first = narrow(float32)
    assert float32.write() == before
    assert narrow(float32) == first


def test_the_converters_notes_on_its_own_file_are_left_out(float32: Model) -> None:
    names = {entry.name for entry in float32.tree.metadata}
    assert b"CONVERSION_METADATA" in names
    assert not Model.read(to_dynamic(float32)).tree.metadata
    (entry,) = (made := Model.read(to_float16(float32))).tree.metadata
    assert (entry.name, bytes(made.tree.buffers[entry.buffer].data)) == (b"reduced_precision_support", b"fp16accfp32")


def dense(weights: np.ndarray, *, twice: bool = False) -> Model:
    """A float32 model: photo `[1, n]` -> FULLY_CONNECTED with weights `[k, n]`; twice: an addition reads them, too."""
    pytest.importorskip("ai_edge_litert")
    tree, graph = schema().ModelT(), schema().SubGraphT()
    tree.version, tree.subgraphs, tree.buffers = 3, [graph], [schema().BufferT()]
    tree.operatorCodes, graph.tensors, graph.operators = [], [], []
    model = Model(tree)
    count, length = weights.shape
    photo = model.add_tensor("photo", (1, length), np.float32)
    held = model.add_constant("weights", weights.astype(np.float32))
    result = model.add_tensor("result", (1, count), np.float32)
    model.add_operator("FULLY_CONNECTED", [photo, held, -1], result, schema().FullyConnectedOptionsT())
    if twice:
        summed = model.add_tensor("summed", weights.shape, np.float32)
        model.add_operator("ADD", [held, held], summed, schema().AddOptionsT())
    graph.inputs, graph.outputs = [photo], [result]
    return model


def test_fully_connected_weights_have_one_scale_so_that_old_runtimes_take_them() -> None:
    rng = np.random.default_rng(1)
    weights, row = rng.normal(0, 1, (32, 64)), rng.normal(0, 1, (1, 64)).astype(np.float32)
    made = to_dynamic(dense(weights))
    (code,) = Model.read(made).tree.operatorCodes
    assert code.version == 3
    (quantized,) = (tensor for tensor in Model.read(made).tensors if tensor.type == schema().TensorType.INT8)
    assert np.allclose(quantized.quantization.scale, [np.abs(weights).max() / 127])
    expected = row @ weights.T
    assert np.abs(interpreted(made, row) - expected).max() < 0.03 * np.abs(expected).max()


def test_what_is_small_or_read_by_another_operator_stays_float32() -> None:
    few, many = np.ones((1, MIN_INT8_SIZE - 1)), np.ones((1, MIN_INT8_SIZE))
    float32 = schema().TensorType.FLOAT32
    assert constants(Model.read(to_dynamic(dense(few)))) == [(float32, MIN_INT8_SIZE - 1)]
    assert constants(Model.read(to_dynamic(dense(many)))) == [(schema().TensorType.INT8, MIN_INT8_SIZE)]
    assert constants(Model.read(to_dynamic(dense(many, twice=True)))) == [(float32, MIN_INT8_SIZE)]


def test_a_filter_of_zeros_and_weights_beyond_float16() -> None:
    weights = np.zeros((32, 64))
    row = np.ones((1, 64), np.float32)
    assert interpreted(to_dynamic(dense(weights)), row).tolist() == [[0] * 32]
    weights[0, 0] = 1e6
    assert interpreted(to_float16(dense(weights)), row)[0, 0] == np.finfo(np.float16).max
