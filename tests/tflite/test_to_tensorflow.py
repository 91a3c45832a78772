"""Each operator as TensorFlow computes it after translation, beside LiteRT."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from importers.tflite_files import SmallFile, litert

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.graph import Graph
from edgeretrain.tflite.to_tensorflow import OPERATORS, check_known, run_operators

RANDOM = np.random.default_rng(0)
MAP = (1, 7, 6, 4)
SAME, VALID = 0, 1  # Padding
RELU, RELU_N1_TO_1, RELU6 = 1, 2, 3  # ActivationFunctionType

Floats = npt.NDArray[np.float32]
Options = dict[str, Any]


def floats(*shape: int) -> Floats:
    return np.asarray(RANDOM.normal(size=shape), np.float32)


def case(
    kind: str,
    *constants: Any,
    options: str = "",
    x: tuple[int, ...] = MAP,
    at: int = 0,
    positive: bool = False,
    **more: Any,
) -> Any:
    """One operator. `x`: shape of the tensor that is computed, which is input number `at` among the constants."""
    told = "-".join(f"{key}{value!r}" for key, value in more.items() if np.isscalar(value))
    shapes = "".join(f"-{np.shape(one)}" for one in constants)
    return pytest.param(kind, constants, options, x, at, positive, more, id=f"{kind}{shapes}-{told}".replace(" ", ""))


def window(**more: Any) -> Options:
    return {"strideH": 1, "strideW": 1, **more}


PADDING = [[0, 0], [1, 2], [2, 0], [0, 0]]
WEIGHTS, BIAS = floats(5, 3, 3, 4), floats(5)
DEPTHWISE = floats(1, 3, 3, 8)
POOL: Options = {"options": "Pool2DOptions", "filterHeight": 3, "filterWidth": 2}
CONV: Options = {"options": "Conv2DOptions"}
DEPTH: Options = {"options": "DepthwiseConv2DOptions", "depthMultiplier": 2}

CASES = [
    *(case("CONV_2D", WEIGHTS, BIAS, **CONV, **window(padding=one)) for one in (SAME, VALID)),
    *(
        case("CONV_2D", WEIGHTS, BIAS, **CONV, **window(fusedActivationFunction=one))
        for one in (RELU, RELU_N1_TO_1, RELU6)
    ),
    *(case("CONV_2D", WEIGHTS, BIAS, **CONV, padding=one, strideH=2, strideW=2) for one in (SAME, VALID)),
    case("CONV_2D", WEIGHTS, BIAS, **CONV, strideH=1, strideW=3),
    case("CONV_2D", WEIGHTS, BIAS, **CONV, **window(dilationHFactor=2, dilationWFactor=2)),
    case("CONV_2D", floats(6, 3, 3, 2), floats(6), **CONV, **window()),  # two groups
    *(case("DEPTHWISE_CONV_2D", DEPTHWISE, floats(8), **DEPTH, **window(padding=one)) for one in (SAME, VALID)),
    case("DEPTHWISE_CONV_2D", DEPTHWISE, floats(8), **DEPTH, strideH=2, strideW=2, fusedActivationFunction=RELU6),
    case("DEPTHWISE_CONV_2D", DEPTHWISE, floats(8), **DEPTH, **window(dilationHFactor=2, dilationWFactor=2)),
    case("DEPTHWISE_CONV_2D", floats(1, 5, 5, 4), floats(4), **(DEPTH | {"depthMultiplier": 1}), **window()),
    case("FULLY_CONNECTED", floats(3, 8), floats(3), x=(1, 8), options="FullyConnectedOptions"),
    case("FULLY_CONNECTED", floats(3, 8), x=(1, 8), options="FullyConnectedOptions", fusedActivationFunction=RELU),
    case("FULLY_CONNECTED", floats(3, 24), floats(3), x=(1, 2, 3, 4), options="FullyConnectedOptions"),
    case("FULLY_CONNECTED", floats(3, 4), floats(3), options="FullyConnectedOptions", keepNumDims=True),
    case("BATCH_MATMUL", floats(1, 4, 5), x=(1, 3, 4), options="BatchMatMulOptions"),
    case("BATCH_MATMUL", floats(1, 5, 4), x=(1, 3, 4), options="BatchMatMulOptions", adjY=True),
    *(
        case(kind, constant, options=f"{kind.title()}Options", fusedActivationFunction=one)
        for kind in ("ADD", "SUB", "MUL", "DIV")
        for one, constant in ((0, np.float32(0.5)), (RELU, floats(4)), (RELU6, floats(*MAP)))
    ),
    case("SUB", np.float32(0.5), options="SubOptions", at=1),
    case("DIV", np.float32(0.5), options="DivOptions", at=1),
    *(case(kind, floats(4), options="MaximumMinimumOptions") for kind in ("MAXIMUM", "MINIMUM")),
    case("SQUARED_DIFFERENCE", floats(4)),
    *(
        case(kind, **POOL, padding=padding, strideH=stride, strideW=stride)
        for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D")
        for padding in (SAME, VALID)
        for stride in (1, 2)
    ),
    *(
        case(kind, axes, options="ReducerOptions", keepDims=keep)
        for kind in ("MEAN", "SUM", "REDUCE_MAX")
        for axes in ([1, 2], [-1], 3)
        for keep in (False, True)
    ),
    case("PAD", PADDING, options="PadOptions"),
    case("PADV2", PADDING, np.float32(-1.5), options="PadV2Options"),
    *(case("MIRROR_PAD", PADDING, options="MirrorPadOptions", mode=mode) for mode in (0, 1)),
    case("RESHAPE", [1, 42, -1], options="ReshapeOptions"),
    case("RESHAPE", options="ReshapeOptions", newShape=[1, 168]),
    case("SQUEEZE", x=(1, 1, 1, 4), options="SqueezeOptions", squeezeDims=[1, 2]),
    case("SQUEEZE", x=(1, 2, 1, 4), options="SqueezeOptions"),
    case("EXPAND_DIMS", np.int32(1), options="ExpandDimsOptions"),
    case("TRANSPOSE", [0, 3, 1, 2], options="TransposeOptions"),
    case("CONCATENATION", floats(1, 7, 6, 2), options="ConcatenationOptions", axis=3),
    case("CONCATENATION", floats(1, 2, 6, 4), options="ConcatenationOptions", axis=-3),
    case("SPLIT", np.int32(3), at=1, options="SplitOptions", numSplits=2),
    case("SLICE", [0, 1, 2, 0], [1, 3, -1, 2], options="SliceOptions"),
    case("STRIDED_SLICE", [0, 1, 0, 0], [1, 7, 6, 4], [1, 2, 1, 1], options="StridedSliceOptions", endMask=8),
    case("STRIDED_SLICE", [0, 3, 0, 0], [1, 4, 6, 4], [1, 1, 1, 1], options="StridedSliceOptions", shrinkAxisMask=2),
    case("PACK", floats(*MAP), options="PackOptions", valuesCount=2, axis=1),
    *(
        case(kind, x=(1, 6, 4, 4), options=f"{name}Options", blockSize=2)
        for kind, name in (("SPACE_TO_DEPTH", "SpaceToDepth"), ("DEPTH_TO_SPACE", "DepthToSpace"))
    ),
    case("SPACE_TO_BATCH_ND", [2, 2], [[1, 0], [1, 1]], options="SpaceToBatchNDOptions"),
    case("BATCH_TO_SPACE_ND", [2, 2], [[0, 1], [0, 0]], x=(4, 3, 3, 2), options="BatchToSpaceNDOptions"),
    *(
        case(kind, [11, 4], options=options, alignCorners=corners, halfPixelCenters=centers)
        for kind, options in (
            ("RESIZE_BILINEAR", "ResizeBilinearOptions"),
            ("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
        )
        for corners, centers in ((False, False), (True, False), (False, True))
    ),
    *(case("SOFTMAX", x=(1, 9), options="SoftmaxOptions", beta=beta) for beta in (1.0, 0.5)),
    case("LEAKY_RELU", options="LeakyReluOptions", alpha=0.3),
    case("PRELU", floats(4)),
    case("GELU", options="GeluOptions"),
    case("GELU", options="GeluOptions", approximate=True),
    *(case(kind) for kind in ("LOGISTIC", "HARD_SWISH", "RELU", "RELU6", "RELU_N1_TO_1", "ELU", "TANH", "ABS", "NEG")),
    *(case(kind, positive=True) for kind in ("EXP", "SQUARE", "SQRT", "RSQRT")),
    case("L2_NORMALIZATION", options="L2NormOptions"),
]
ELSEWHERE = {"QUANTIZE", "DEQUANTIZE", "SHAPE", "CAST"}
"""These have tests of their own below."""


def translated(path: Path, x: Floats) -> list[Floats]:
    """The outputs of a file as TensorFlow computes them of its input, traced."""
    import tensorflow as tf

    graph = Graph(path)
    operators = range(len(graph.operators))
    check_known(graph, operators)
    run: Callable[[Any], list[Any]] = tf.function(
        lambda photo: [run_operators(graph, operators, {graph.inputs[0]: photo}, one) for one in graph.outputs]
    )
    return [np.asarray(one) for one in run(tf.constant(x))]


@pytest.mark.tensorflow
@pytest.mark.parametrize(("kind", "constants", "options", "shape", "at", "positive", "fields"), CASES)
def test_as_litert(
    tmp_path: Path,
    kind: str,
    constants: tuple[Any, ...],
    options: str,
    shape: tuple[int, ...],
    at: int,
    positive: bool,
    fields: dict[str, Any],
) -> None:
    pytest.importorskip("tensorflow")
    small = SmallFile()
    inputs = [small.constant(one) for one in constants]
    inputs.insert(at, small.photo(*shape))
    outputs = [small.tensor() for _ in range(fields.get("numSplits", 1))]
    small.operator(kind, inputs, outputs, options, **fields)
    path = small.write(tmp_path / "one.tflite", *outputs)
    x = np.random.default_rng(1).normal(0, 2, shape).astype(np.float32)
    x = np.abs(x) if positive else x
    expected = litert(path, x)
    assert np.ptp(expected[0]) > 0.1  # or zeros would do
    for mine, own in zip(translated(path, x), expected, strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, own, rtol=1e-5, atol=1e-5, strict=True)


def test_every_operator_has_a_test() -> None:
    assert {one.values[0] for one in CASES} | ELSEWHERE == set(OPERATORS)


@pytest.mark.tensorflow
def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    """What Keras' Flatten becomes in a file whose batch is open."""
    pytest.importorskip("tensorflow")
    small = SmallFile()
    photo = small.photo(-1, 2, 3, 3)
    shape = small.operator("SHAPE", [photo], [small.tensor(4, dtype="INT32")], "ShapeOptions", outType=2)
    begin, end, step = (small.constant([one]) for one in (0, 1, 1))
    batch = small.tensor(dtype="INT32")
    small.operator("STRIDED_SLICE", [shape, begin, end, step], [batch], "StridedSliceOptions", shrinkAxisMask=1)
    packed = small.tensor(2, dtype="INT32")
    small.operator("PACK", [batch, small.constant(np.int32(18))], [packed], "PackOptions", valuesCount=2)
    path = small.write(tmp_path / "flat.tflite", small.operator("RESHAPE", [photo, packed], [small.tensor(-1, 18)]))
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 3)).astype(np.float32)
    (mine,) = translated(path, x)
    np.testing.assert_array_equal(mine, litert(path, x)[0], strict=True)


@pytest.mark.tensorflow
def test_whole_numbers_become_real(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    small = SmallFile()
    photo = small.photo(dtype="UINT8")
    real = small.operator("CAST", [photo], [small.tensor(1, 8, 8, 3)], "CastOptions", inDataType=3, outDataType=0)
    graph = Graph(small.write(tmp_path / "cast.tflite", real))
    x = np.arange(192, dtype=np.uint8).reshape(1, 8, 8, 3)
    mine = run_operators(graph, [0], {photo: tf.constant(x)}, real)
    np.testing.assert_array_equal(mine, litert(graph.path, x)[0], strict=True)


@pytest.mark.tensorflow
@pytest.mark.parametrize("weights", ["float16", "int8", "one scale"])
def test_constants_that_are_packed(tmp_path: Path, weights: str) -> None:
    pytest.importorskip("tensorflow")
    small = SmallFile()
    photo = small.photo(1, 6, 6, 4)
    if weights == "float16":
        packed = small.constant(WEIGHTS.astype(np.float16))
    else:
        packed = small.constant(np.rint(WEIGHTS * 20).astype(np.int8), quantized=(0.05, 0 if weights == "int8" else 3))
    if weights == "int8":  # a scale for each output channel
        scales = np.linspace(0.01, 0.05, 5, dtype=np.float32)
        small.graph.tensors[packed].quantization.scale = scales
        small.graph.tensors[packed].quantization.zeroPoint = np.zeros(5, np.int64)
    real = small.operator("DEQUANTIZE", [packed], [small.tensor(5, 3, 3, 4)], "DequantizeOptions")
    output = small.tensor(1, 6, 6, 5)
    small.operator("CONV_2D", [photo, real, small.constant(BIAS)], [output], "Conv2DOptions", **window())
    path = small.write(tmp_path / "packed.tflite", output)
    if weights == "int8":
        # LiteRT does not unpack weights with many scales; the same arithmetic in a file of float32 ones.
        stored = np.rint(WEIGHTS * 20) * scales[:, None, None, None]
        small.operator(
            "CONV_2D", [photo, small.constant(stored), small.constant(BIAS)], [output], "Conv2DOptions", **window()
        )
        small.graph.operators = small.graph.operators[-1:]
        reference = small.write(tmp_path / "real.tflite", output)
    else:
        reference = path
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(translated(path, x)[0], litert(reference, x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.tensorflow
def test_quantizing_and_back_does_nothing(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    small = SmallFile()
    integers = small.operator(
        "QUANTIZE", [small.photo()], [small.tensor(1, 8, 8, 3, dtype="INT8", quantized=(0.1, 5))], "QuantizeOptions"
    )
    real = small.operator("DEQUANTIZE", [integers], [small.tensor(1, 8, 8, 3)], "DequantizeOptions")
    path = small.write(tmp_path / "there_and_back.tflite", real)
    x = np.random.default_rng(0).uniform(-10, 10, (1, 8, 8, 3)).astype(np.float32)
    (mine,) = translated(path, x)
    np.testing.assert_array_equal(mine, x)
    assert np.abs(mine - litert(path, x)[0]).max() <= 0.0501  # half a step


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "low", "high"),
    [
        ("UINT8", 6 / 255, 0, 0, 6),
        ("INT8", 6 / 255, -128, 0, 6),
        ("UINT8", 0.05, 0, 0, np.inf),  # what is above was never seen: no activation cut it off
        ("INT8", 0.05, 0, -np.inf, np.inf),
    ],
)
def test_a_range_from_zero_on_is_an_activation(
    tmp_path: Path, dtype: str, scale: float, zero_point: int, low: float, high: float
) -> None:
    tf = pytest.importorskip("tensorflow")
    small = SmallFile()
    photo = small.photo(dtype=dtype, quantized=(0.1, zero_point))
    other = small.constant(np.zeros(3, np.dtype(dtype.lower())), quantized=(0.1, 0))
    total = small.tensor(1, 8, 8, 3, dtype=dtype, quantized=(scale, zero_point))
    graph = Graph(small.write(tmp_path / "sum.tflite", small.operator("ADD", [photo, other], [total], "AddOptions")))
    x = np.linspace(-20, 20, 192, dtype=np.float32).reshape(1, 8, 8, 3)
    mine = run_operators(graph, [0], {photo: tf.constant(x)}, total)
    np.testing.assert_allclose(mine, np.clip(x, low, high), atol=1e-6)


def test_what_cannot_be_translated_is_named(tmp_path: Path) -> None:
    small = SmallFile()
    x = small.photo()
    for kind, custom in (("CUSTOM", "FlexErf"), ("CUSTOM", "TFLite_Detection"), ("SVDF", ""), ("SVDF", "")):
        x = small.operator(kind, [x], [small.tensor(1, 8, 8, 3)], custom=custom)
    graph = Graph(small.write(tmp_path / "odd.tflite", x))
    message = "needs the Select TF operator Erf, the custom operator TFLite_Detection, the operator SVDF, which"
    with pytest.raises(EdgeretrainError, match=rf"odd\.tflite: {message}.*--layer"):
        check_known(graph, range(4))
    check_known(graph, [])


@pytest.mark.tensorflow
def test_what_does_not_fit_is_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    small = SmallFile()
    path = small.write(
        tmp_path / "misfit.tflite",
        small.operator("RESHAPE", [small.photo(), small.constant([8, 192])], [small.tensor(8, 192)]),
    )
    with pytest.raises(EdgeretrainError, match="operator 0, RESHAPE, cannot be computed"):
        translated(path, np.zeros((1, 8, 8, 3), np.float32))


@pytest.mark.tensorflow
def test_a_state_is_told(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    small = SmallFile()
    photo, state = small.photo(), small.tensor(3, name="memory")
    path = small.write(
        tmp_path / "state.tflite", small.operator("ADD", [photo, state], [small.tensor(1, 8, 8, 3)], "AddOptions")
    )
    with pytest.raises(EdgeretrainError, match=r"ADD, cannot be computed.*nothing computes its input memory"):
        translated(path, np.zeros((1, 8, 8, 3), np.float32))
