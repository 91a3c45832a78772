"""One conversion, four files: against what TensorFlow's converter makes of the same network when asked four times."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone.contract import Contract, bottlenecks_of, check_contract
from edgeretrain.data.scaling import Scaling
from edgeretrain.precision import PRECISIONS
from edgeretrain.quantization.convert import FrozenNetwork, convert, freeze
from edgeretrain.tflite.flatbuffer import schema

pytestmark = pytest.mark.tensorflow

SIZE = 32
BETWEEN = Scaling.between(-1, 1)
PER_CHANNEL = Scaling.normalized((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def photos(count: int = 8) -> np.ndarray:
    rng = np.random.default_rng(2)
    return rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def network() -> Any:
    """Convolution, depthwise, a residual addition, pooling and a dense layer: more than MobileNet has."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> Any:
        return tf.constant(rng.normal(0, np.sqrt(2 / np.prod(shape[:-1])), shape).astype(np.float32))

    first, spread, back, dense = weights(3, 3, 3, 16), weights(3, 3, 16, 1) * 3, weights(1, 1, 16, 16), weights(64, 24)

    def run(photo: Any) -> Any:
        x = tf.nn.relu(tf.nn.conv2d(photo, first, 2, "SAME") + 0.1)
        y = tf.nn.depthwise_conv2d(x, spread, (1, 1, 1, 1), "SAME")
        x = tf.nn.max_pool2d(x + tf.nn.conv2d(y, back, 1, "VALID"), 8, 8, "VALID")
        return tf.nn.relu(tf.matmul(tf.reshape(x, (1, 64)), dense)) + 0.01 * tf.reshape(x, (1, 64))[:, :24]

    return run


@pytest.fixture(scope="module")
def frozen() -> FrozenNetwork:
    return freeze(network(), SIZE, BETWEEN)


def tensorflows_own(precision: str) -> bytes:
    """The whole graph, scaling included, through TFLiteConverter."""
    tf = pytest.importorskip("tensorflow")
    run = network()
    signature = [tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)]
    function = tf.function(lambda photo: run(photo / 127.5 - 1), input_signature=signature).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    return bytes(converter.convert())


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("float16", 2e-3), ("dynamic", 2e-2)])
def test_the_float_files_give_what_tensorflows_give(frozen: FrozenNetwork, precision: Any, tolerance: float) -> None:
    theirs = bottlenecks_of(tensorflows_own(precision), photos())
    ours = bottlenecks_of(convert(frozen, precision), photos())
    assert theirs.shape == ours.shape == (8, 24)
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()


@pytest.mark.parametrize("scaling", [BETWEEN, PER_CHANNEL], ids=["uniform", "per channel"])
def test_every_precision_keeps_its_contract_and_comes_near_to_the_network(scaling: Scaling) -> None:
    run = network()
    made = freeze(run, SIZE, scaling)
    assert (made.size, made.length) == (SIZE, 24)
    expected = np.stack([np.asarray(run(scaling(one[None])))[0] for one in photos()])
    contract = Contract("net", SIZE, 24, scaling)
    for precision, tolerance in zip(PRECISIONS, (1e-5, 2e-3, 0.03, 0.05), strict=True):
        data = convert(made, precision, photos())
        check_contract(data, contract, precision)
        assert np.abs(bottlenecks_of(data, photos()) - expected).max() <= tolerance * np.abs(expected).max(), precision
        assert convert(made, precision, photos()) == data


def test_old_runtimes_know_the_dense_layers_operator(frozen: FrozenNetwork) -> None:
    """tflite-runtime 2.14 refuses FULLY_CONNECTED from version 12 on, which TensorFlow 2.21 writes for int8 weights."""
    dense = schema().BuiltinOperator.FULLY_CONNECTED
    for precision in PRECISIONS:
        model = schema().ModelT.InitFromPackedBuf(convert(frozen, precision, photos()), 0)
        (version,) = (code.version for code in model.operatorCodes if code.builtinCode == dense)
        assert version < 12, precision


def test_int8_without_photos_is_refused(frozen: FrozenNetwork) -> None:
    with pytest.raises(ValueError, match="calibration"):
        convert(frozen, "int8")


def test_the_input_range_of_int8_is_that_of_the_pixels_whatever_the_photos(frozen: FrozenNetwork) -> None:
    def gray() -> Iterable[np.ndarray]:
        yield np.full((SIZE, SIZE, 3), 120, np.uint8)

    check_contract(convert(frozen, "int8", gray()), Contract("net", SIZE, 24, BETWEEN), "int8")
