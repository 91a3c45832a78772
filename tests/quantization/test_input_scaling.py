"""The scaling in front of a network, on a bundled file that its own scaling is taken from."""

from pathlib import Path

import numpy as np
import pytest
from support.garden import interpreted

from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.presets import get_preset
from edgeretrain.data.scaling import Scaling
from edgeretrain.quantization.input_scaling import with_scaling
from edgeretrain.tflite.model import Model

MODELS = Path(__file__).parents[2] / "models"
SCALING = get_preset("mobilenet_v1_100_224").family.scaling


@pytest.fixture(scope="module")
def whole() -> Model:
    pytest.importorskip("ai_edge_litert")
    return Model.read(MODELS / "mobilenet_v1_100_224.float32.tflite")


@pytest.fixture(scope="module")
def core(whole: Model) -> Model:
    """The network of scaled photos."""
    model = whole.copy()
    assert kinds_of(model)[:2] == ["MUL", "SUB"]
    model.set_input(int(model.operators[1].outputs[0]))
    del model.operators[:2]
    return model


def photo() -> np.ndarray:
    rng = np.random.default_rng(5)
    return rng.integers(0, 256, (1, 28, 28, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)


def kinds_of(model: Model) -> list[str]:
    return [model.kind(operator) for operator in model.operators]


def test_it_is_what_the_bundled_file_has(whole: Model, core: Model) -> None:
    made = with_scaling(core, SCALING)
    assert kinds_of(made) == kinds_of(whole)
    assert np.array_equal(bottlenecks_of(made.write(), photo()), bottlenecks_of(whole.write(), photo()))


@pytest.mark.parametrize(
    ("scaling", "operators"),
    [
        (Scaling.between(0, 255), []),
        (Scaling.between(0, 1), ["MUL"]),
        (Scaling((1.0,), (-128.0,)), ["SUB"]),
        (Scaling.normalized((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)), ["MUL", "SUB"]),
    ],
)
def test_only_what_the_scaling_needs_goes_in_front(core: Model, scaling: Scaling, operators: list[str]) -> None:
    before = core.write()
    made = with_scaling(core, scaling)
    assert kinds_of(made) == operators + kinds_of(core)
    expected = interpreted(before, scaling(photo()))
    assert np.abs(bottlenecks_of(made.write(), photo()) - expected).max() <= 1e-4 * np.abs(expected).max()
    (at,) = made.inputs
    assert list(made.tensors[at].shape) == [1, 224, 224, 3]
    assert core.write() == before
