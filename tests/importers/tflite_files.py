"""Small .tflite files, put together operator by operator, and how LiteRT and TensorFlow's interpreter run a file."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.data.scaling import Scaling
from edgeretrain.tflite.flatbuffer import schema, write_model
from edgeretrain.tflite.model import Model

Quantization = tuple[float, int]
"""Scale and zero point."""

Floats = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


class SmallFile:
    """A network in the making. Tensors are called t0, t1 ... unless they are given a name."""

    def __init__(self) -> None:
        self.model = schema().ModelT()
        self.model.version, self.model.operatorCodes, self.model.buffers = 3, [], [schema().BufferT()]
        self.graph = schema().SubGraphT()
        self.graph.inputs, self.graph.outputs, self.graph.operators, self.graph.tensors = [], [], [], []
        self.model.subgraphs = [self.graph]

    def tensor(
        self, *shape: int, dtype: str = "FLOAT32", quantized: Quantization | None = None, name: str | None = None
    ) -> int:
        """A tensor that is computed; a side of -1 is known only when the network runs."""
        new = schema().TensorT()
        new.name = f"t{len(self.graph.tensors)}" if name is None else name
        new.shape, new.buffer, new.type = np.abs(np.array(shape, np.int32)), 0, getattr(schema().TensorType, dtype)
        if -1 in shape:
            new.shapeSignature = np.array(shape, np.int32)
        if quantized is not None:
            new.quantization = schema().QuantizationParametersT()
            new.quantization.scale, new.quantization.zeroPoint = [quantized[0]], [quantized[1]]
        self.graph.tensors.append(new)
        return len(self.graph.tensors) - 1

    def photo(self, *shape: int, **how: Any) -> int:
        number = self.tensor(*(shape or (1, 8, 8, 3)), **how)
        self.graph.inputs.append(number)
        return number

    def constant(self, values: Any, **how: Any) -> int:
        array = np.asarray(values)
        if array.dtype in (np.float64, np.int64):
            array = array.astype(np.float32 if array.dtype == np.float64 else np.int32)
        number = self.tensor(*array.shape, dtype=array.dtype.name.upper(), **how)
        self.graph.tensors[number].buffer = Model(self.model).add_buffer(array.tobytes())
        return number

    def operator(
        self,
        kind: str,
        inputs: list[int],
        outputs: list[int],
        options: str = "",
        *,
        custom: str = "",
        **fields: Any,
    ) -> int:
        """Add an operator; its first output."""
        code, operator = schema().OperatorCodeT(), schema().OperatorT()
        code.builtinCode, code.version = getattr(schema().BuiltinOperator, kind), 1
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom or None
        operator.opcodeIndex = len(self.model.operatorCodes)
        self.model.operatorCodes.append(code)
        operator.inputs, operator.outputs = inputs, outputs
        if options:
            operator.builtinOptionsType = getattr(schema().BuiltinOptions, options)
            operator.builtinOptions = getattr(schema(), f"{options}T")()
            for name, value in fields.items():
                setattr(operator.builtinOptions, name, value)
        self.graph.operators.append(operator)
        return outputs[0]

    def convolution(self, photo: int, *, side: int = 3, channels: int = 5, name: str | None = None) -> int:
        """A convolution of a photo `[1,8,8,3]` with random weights; its output `[1,8,8,channels]`."""
        weights = np.random.default_rng(0).normal(size=(channels, side, side, 3))
        inputs = [photo, self.constant(weights), self.constant(np.zeros(channels))]
        output = self.tensor(1, 8, 8, channels, name=name)
        return self.operator("CONV_2D", inputs, [output], "Conv2DOptions", strideH=1, strideW=1)

    def averaged(self, feature_map: int, *, channels: int = 5, keep: bool = False, name: str | None = None) -> int:
        """The mean over all places, `[1,channels]`, or with `keep` `[1,1,1,channels]`."""
        output = self.tensor(*((1, 1, 1, channels) if keep else (1, channels)), name=name)
        axes = self.constant([1, 2])
        return self.operator("MEAN", [feature_map, axes], [output], "ReducerOptions", keepDims=keep)

    def dense(
        self, vector: int, *, inputs: int = 5, outputs: int = 4, name: str | None = None, relu: bool = False
    ) -> int:
        weights = self.constant(np.random.default_rng(1).normal(size=(outputs, inputs)))
        output = self.tensor(1, outputs, name=name)
        fused = schema().ActivationFunctionType.RELU if relu else schema().ActivationFunctionType.NONE
        given = [vector, weights, self.constant(np.zeros(outputs))]
        return self.operator("FULLY_CONNECTED", given, [output], "FullyConnectedOptions", fusedActivationFunction=fused)

    def softmax(self, scores: int, *, outputs: int = 4) -> int:
        return self.operator("SOFTMAX", [scores], [self.tensor(1, outputs)], "SoftmaxOptions", beta=1.0)

    def classifier(self, photo: int) -> int:
        """Convolution (`map`), average (`averaged`), dense layer (`scores`) and softmax behind a photo."""
        averaged = self.averaged(self.convolution(photo, name="map"), name="averaged")
        return self.softmax(self.dense(averaged, name="scores"))

    def arithmetic(self, kind: str, photo: int, constant: Any, *shape: int, first: bool = True) -> int:
        """MUL, ADD, SUB or DIV of a photo and a constant."""
        number = self.constant(np.float32(constant))
        output = self.tensor(*(shape or (1, 8, 8, 3)))
        return self.operator(kind, [photo, number] if first else [number, photo], [output], f"{kind.title()}Options")

    def write(self, path: Path, *outputs: int) -> Path:
        self.graph.outputs = list(outputs)
        path.write_bytes(write_model(self.model))
        return path


def litert(path: Path, *inputs: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """The outputs that LiteRT gives for the inputs of a file, quantized ones as they are."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    for detail, values in zip(interpreter.get_input_details(), inputs, strict=True):
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def noise(size: int, count: int = 2) -> Pixels:
    """Coloured blocks, uint8 `[count,size,size,3]`."""
    blocks = np.random.default_rng(5).integers(0, 256, (count, 8, 8, 3)).astype(np.uint8)
    places = np.arange(size) * 8 // size
    return np.ascontiguousarray(blocks[:, places][:, :, places])


class Interpreted:
    """A file in TensorFlow's interpreter, every tensor of which can be looked at."""

    def __init__(self, path: Path) -> None:
        import tensorflow as tf

        # Without a delegate, which would fuse tensors away: TFLite's own kernels.
        kernels = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self.interpreter = tf.lite.Interpreter(
            str(path), experimental_preserve_all_tensors=True, experimental_op_resolver_type=kernels
        )
        self.interpreter.allocate_tensors()
        self.photo = self.interpreter.get_input_details()[0]

    def __call__(self, pixels: Pixels, scaling: Scaling, tensor: str | None = None) -> Floats:
        """The tensor, by default the output, for photos `[n,S,S,3]`: `[n,d]`, real numbers."""
        details = self.interpreter.get_tensor_details()
        wanted = next((one for one in details if one["name"] == tensor), self.interpreter.get_output_details()[0])
        rows = []
        for one in pixels:
            given = one if self.photo["dtype"] == np.uint8 else scaling(one)
            self.interpreter.set_tensor(self.photo["index"], given[None].astype(self.photo["dtype"]))
            self.interpreter.invoke()
            values = self.interpreter.get_tensor(wanted["index"]).astype(np.float32).reshape(-1)
            scale, zero_point = wanted["quantization"]
            rows.append((values - zero_point) * scale if scale else values)
        return np.stack(rows)


def furthest(actual: Floats, expected: Floats) -> float:
    """The largest difference, relative to the largest bottleneck value."""
    assert actual.shape == expected.shape
    assert np.ptp(expected) > 0.1
    return float(np.abs(actual - expected).max() / np.abs(expected).max())


def alike(actual: Floats, expected: Floats) -> float:
    return float(np.corrcoef(actual.ravel(), expected.ravel())[0, 1])
