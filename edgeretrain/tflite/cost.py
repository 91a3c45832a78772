"""The cost of a network: multiply-accumulates (MACs), parameters and bytes of every layer, from the file alone.

MACs, of one run with the shapes in the file, one multiplication together with its addition each:

- CONV_2D, DEPTHWISE_CONV_2D, CONV_3D: output elements x kernel positions x input channels that each output sees;
- TRANSPOSE_CONV, CONV_3D_TRANSPOSE: input elements x kernel positions x output channels;
- FULLY_CONNECTED, BATCH_MATMUL: output elements x length of the sum.

Positions that fall on padding count: published figures count them, and the kernels mostly compute them. Biases,
activations, pooling, means, softmax, quantization and all element-wise operators count nothing. What holds matrix
products of another kind (recurrent, custom, StableHLO and control-flow operators) and layers whose shapes are known
only when they run have no figure (None), not 0.

Parameters: elements of constant tensors that layers compute with: weights and biases of the operators above, and
float or quantized constants of more than one element of any other (slopes of PRELU, batch normalisation that was not
folded into a convolution, tables of embeddings). Shapes, axes, paddings, quantization parameters and single numbers
(such as the scale of the pixels) do not count. A tensor that several layers share counts once, in the first of them; a
converter lets layers share whatever constants are equal, such as the zero biases of convolutions without one.

A converter folds batch normalisation: its four numbers a channel become the channel's one bias, so a file has fewer
parameters than the Keras model that it was made from.
"""

from collections.abc import Callable
from math import prod
from typing import Any, TypedDict

from edgeretrain.tflite.flatbuffer import OperatorT, OptionsT, numbers, schema, text
from edgeretrain.tflite.model import Model

Shape = list[int]


class LayerCost(TypedDict):
    """The cost of a layer.

    Keys:
        name: of its output.
        operator: its kind, such as `CONV_2D`.
        macs: multiply-accumulates of one run; None: not known.
        parameters: numbers in its weights.
        bytes: of its constants in the file; those that an earlier layer also uses are not counted again.
        output_shape: None: not known.
    """

    name: str
    operator: str
    macs: int | None
    parameters: int
    bytes: int
    output_shape: Shape | None


_UNPACKING = {"DEQUANTIZE", "DENSIFY"}
"""Operators that only unpack a constant: float16 weights are stored so. The layer that uses it stands for them."""

_UNKNOWN_PREFIXES = ("STABLEHLO_", "operator ")
_UNKNOWN = {
    "BIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_RNN",
    "CALL",
    "CALL_ONCE",
    "CONCAT_EMBEDDINGS",
    "DELEGATE",
    "IF",
    "LSTM",
    "RNN",
    "SVDF",
    "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "UNIDIRECTIONAL_SEQUENCE_RNN",
    "WHILE",
}


def layer_costs(model: Model) -> list[LayerCost]:
    """The layers of a model in the order they run."""
    return _Counter(model).layers()


class _Counter:
    """Counts the layers one after the other; shared constants are counted once."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.real = _real_types()
        self.counted: set[int] = set()
        self.stored: set[int] = set()
        # Output of an operator that unpacks a constant -> that constant.
        self.unpacked: dict[int, int] = {}

    def layers(self) -> list[LayerCost]:
        layers: list[LayerCost] = []
        kinds = self.model.kinds()
        for operator in self.model.operators:
            name, custom = kinds[operator.opcodeIndex].name, kinds[operator.opcodeIndex].custom
            inputs = [number for number in numbers(operator.inputs) if number >= 0]
            outputs = list(numbers(operator.outputs))
            if name in _UNPACKING and not custom and len(inputs) == 1 and self._constant_bytes(inputs[0]):
                self.unpacked[outputs[0]] = inputs[0]
                continue
            layers.append(
                {
                    "name": text(self.model.tensors[outputs[0]].name) if outputs else "",
                    "operator": name,
                    "macs": None if custom else self._macs(name, operator, inputs, outputs),
                    "parameters": self._parameters(name, inputs),
                    "bytes": self._bytes(inputs),
                    "output_shape": self._shape(outputs[0]) if outputs else None,
                }
            )
        return layers

    def _macs(self, name: str, operator: OperatorT, inputs: list[int], outputs: list[int]) -> int | None:
        if name in _UNKNOWN or name.startswith(_UNKNOWN_PREFIXES):
            return None
        if name not in _MACS:
            return 0
        shapes = [self._shape(index) for index in [*inputs, outputs[0]]]
        needed = [shape for shape in shapes if shape]
        # A bias or an output shape may be left out; data, weights and the output may not.
        if len(needed) < 3 or any(shape is None for shape in shapes):
            return None
        try:
            return _MACS[name](needed[:-1], needed[-1], operator.builtinOptions)
        except (IndexError, ZeroDivisionError):  # a rank that this operator cannot have
            return None

    def _parameters(self, name: str, inputs: list[int]) -> int:
        total = 0
        for position, index in enumerate(self.unpacked.get(index, index) for index in inputs):
            if index in self.counted or not self._constant_bytes(index):
                continue
            tensor = self.model.tensors[index]
            elements = prod(_sides(tensor.shape))
            weighty = name in _MACS and (position > 0 or name == "BATCH_MATMUL")
            quantized = tensor.quantization is not None and _length(tensor.quantization.scale) > 0
            if weighty or (elements > 1 and (tensor.type in self.real or quantized)):
                self.counted.add(index)
                total += elements
        return total

    def _bytes(self, inputs: list[int]) -> int:
        total = 0
        for index in (self.unpacked.get(index, index) for index in inputs):
            buffer = self.model.tensors[index].buffer
            if buffer not in self.stored:
                self.stored.add(buffer)
                total += self._constant_bytes(index)
        return total

    def _constant_bytes(self, index: int) -> int:
        """Bytes of a constant tensor's data; 0 for one that is computed."""
        buffer = self.model.tree.buffers[self.model.tensors[index].buffer]
        # A file above 2 GB keeps its data behind the flatbuffer and only its place in it.
        return _length(buffer.data) or int(getattr(buffer, "size", 0))

    def _shape(self, index: int) -> Shape | None:
        """The shape; None where a side other than the batch is known only when the model runs."""
        tensor = self.model.tensors[index]
        sides = _sides(tensor.shape)
        open_sides = _sides(tensor.shapeSignature)[1:]
        if any(side <= 0 for side in sides) or any(side < 0 for side in open_sides):
            return None
        return sides


def _convolution(inputs: list[Shape], output: Shape, _: OptionsT) -> int:
    return prod(output) * prod(inputs[1][1:])  # weights [out, height, width, in]


def _depthwise(inputs: list[Shape], output: Shape, _: OptionsT) -> int:
    return prod(output) * inputs[1][1] * inputs[1][2]  # weights [1, height, width, out]


def _convolution_3d(inputs: list[Shape], output: Shape, _: OptionsT) -> int:
    return prod(output) * prod(inputs[1][:4])  # weights [depth, height, width, in, out]


def _transposed(inputs: list[Shape], _: Shape, __: OptionsT) -> int:
    return prod(inputs[2]) * prod(inputs[1][:3])  # the output's shape; weights [out, height, width, in]; data


def _transposed_3d(inputs: list[Shape], _: Shape, __: OptionsT) -> int:
    return prod(inputs[2]) * prod(inputs[1][:4])  # weights [depth, height, width, out, in]


def _connected(inputs: list[Shape], output: Shape, _: OptionsT) -> int:
    return prod(output) * inputs[1][1]  # weights [out, in]


def _matrix_product(inputs: list[Shape], output: Shape, options: OptionsT) -> int:
    return prod(output) * inputs[0][-2 if options is not None and options.adjX else -1]


_MACS: dict[str, Callable[[list[Shape], Shape, OptionsT], int]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "CONV_3D": _convolution_3d,
    "TRANSPOSE_CONV": _transposed,
    "CONV_3D_TRANSPOSE": _transposed_3d,
    "FULLY_CONNECTED": _connected,
    "BATCH_MATMUL": _matrix_product,
}


def _real_types() -> set[int]:
    kinds = vars(schema().TensorType)
    return {kinds[name] for name in ("FLOAT16", "FLOAT32", "FLOAT64", "BFLOAT16") if name in kinds}


def _length(values: Any) -> int:
    return 0 if values is None else len(values)


def _sides(shape: Any) -> Shape:
    return [] if _length(shape) == 0 else [int(side) for side in shape]
