"""The scaling in front of a network, on a bundled file that its own scaling is taken from."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import interpreted

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.presets import get_preset
from edgeretrain.data.scaling import Scaling
from edgeretrain.quantization.input_scaling import with_scaling
from edgeretrain.tflite.flatbuffer import read_model, schema, write_model

MODELS = Path(__file__).parents[2] / "models"
SCALING = get_preset("mobilenet_v1_100_224").family.scaling


@pytest.fixture(scope="module")
def whole() -> Any:
    pytest.importorskip("ai_edge_litert")
    return read_model(MODELS / "mobilenet_v1_100_224.float32.tflite")


@pytest.fixture(scope="module")
def core(whole: Any) -> Any:
    """The network of scaled photos."""
    model = copy.copy(whole)
    graph = copy.copy(whole.subgraphs[0])
    kinds = schema().BuiltinOperator
    assert [whole.operatorCodes[one.opcodeIndex].builtinCode for one in graph.operators[:2]] == [kinds.MUL, kinds.SUB]
    graph.inputs = graph.operators[1].outputs
    graph.operators = graph.operators[2:]
    model.subgraphs = [graph]
    return model


def photo() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (1, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def kinds_of(model: Any) -> list[int]:
    return [model.operatorCodes[one.opcodeIndex].builtinCode for one in model.subgraphs[0].operators]


def test_it_is_what_the_bundled_file_has(whole: Any, core: Any) -> None:
    made = with_scaling(core, SCALING)
    assert kinds_of(made) == kinds_of(whole)
    assert np.array_equal(bottlenecks_of(write_model(made), photo()), bottlenecks_of(write_model(whole), photo()))


@pytest.mark.parametrize(
    ("scaling", "operators"),
    [
        (Scaling.between(0, 255), []),
        (Scaling.between(0, 1), ["MUL"]),
        (Scaling((1.0,), (-128.0,)), ["SUB"]),
        (Scaling.normalized((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)), ["MUL", "SUB"]),
    ],
)
def test_only_what_the_scaling_needs_goes_in_front(core: Any, scaling: Scaling, operators: list[str]) -> None:
    before = write_model(core)
    made = with_scaling(core, scaling)
    assert kinds_of(made) == [getattr(schema().BuiltinOperator, one) for one in operators] + kinds_of(core)
    expected = interpreted(before, scaling(photo()))
    assert np.abs(bottlenecks_of(write_model(made), photo()) - expected).max() <= 1e-4 * np.abs(expected).max()
    (at,) = made.subgraphs[0].inputs
    assert list(made.subgraphs[0].tensors[at].shape) == [1, 224, 224, 3]
    assert write_model(core) == before
