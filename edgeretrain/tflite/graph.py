"""The network inside a .tflite file: its tensors, constants as real numbers, its operators by name. No TensorFlow."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.cost import layer_costs
from edgeretrain.tflite.extract import extract
from edgeretrain.tflite.flatbuffer import OptionsT, as_damaged_file, numbers, text
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quantized import Array


@dataclass(frozen=True)
class Tensor:
    """A tensor of the file.

    Attributes:
        shape: as in the file; None for a side that is only known when the network runs.
        dtype: in the file, such as `float32` or `uint8`.
        scale, zero_point: real = scale * (q - zero_point), of each channel where they differ; () when not quantized.
        constant: its real numbers, float32; integers that are not quantized (shapes, axes) as they are. None for a
            tensor that is computed.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    constant: Array | None

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest real number that a quantized tensor can hold."""
        ends = np.iinfo(self.dtype)
        low, high = ((end - self.zero_point[0]) * self.scale[0] for end in (int(ends.min), int(ends.max)))
        return low, high

    def __str__(self) -> str:
        batch = ["1" if side is None else str(side) for side in self.shape[:1]]
        sides = ",".join(batch + ["?" if side is None else str(side) for side in self.shape[1:]])
        return f"{self.name} ({self.dtype} [{sides}])"


@dataclass(frozen=True)
class Operator:
    """An operator of the file.

    Attributes:
        kind: its name in the schema, such as `CONV_2D`, or the name of a custom operator.
        custom: whether it is not one of TFLite's own.
        inputs, outputs: numbers of tensors; -1 for an input that is left out.
        options: the schema's object for this kind, or None.
    """

    kind: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: OptionsT


class Graph:
    """The main subgraph of a .tflite file.

    Attributes:
        path: of the file.
        tensors, operators: in the file's order; operators are in the order they run.
        inputs, outputs: numbers of tensors.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            EdgeretrainError: it cannot be read, is not a TFLite model, is damaged, or its weights are packed in a way
                that is not supported.
        """
        self.path = path
        _refuse_bundle(path)
        self._model = model = Model.read(path)
        with as_damaged_file(path):
            kinds = model.kinds()
            self.tensors = [_tensor(model, number) for number in range(len(model.tensors))]
            self.operators = [
                Operator(
                    kinds[operator.opcodeIndex].name,
                    kinds[operator.opcodeIndex].custom,
                    numbers(operator.inputs),
                    numbers(operator.outputs),
                    operator.builtinOptions,
                )
                for operator in model.operators
            ]
            self.inputs, self.outputs = model.inputs, model.outputs
            self._check()
            self._unpack()

    def producer(self, tensor: int) -> Operator | None:
        """The operator that computes a tensor."""
        return next((operator for operator in self.operators if tensor in operator.outputs), None)

    def consumers(self, tensor: int) -> list[Operator]:
        """The operators that take a tensor."""
        return [operator for operator in self.operators if tensor in operator.inputs]

    def needed(self, output: int, inputs: Iterable[int]) -> list[int]:
        """The operators that compute a tensor from others, by number, in the order they run."""
        targets, given = {output}, set(inputs)
        operators = []
        for number in range(len(self.operators) - 1, -1, -1):
            operator = self.operators[number]
            if targets.intersection(operator.outputs) - given:
                operators.append(number)
                targets.update(operator.inputs)
        return operators[::-1]

    def computed_from(self, tensor: int) -> set[int]:
        """The tensors that depend on this one, and the tensor itself."""
        reached = {tensor}
        for operator in self.operators:
            if reached.intersection(operator.inputs):
                reached.update(operator.outputs)
        return reached

    def metadata(self, name: str) -> bytes | None:
        """The metadata of that name in the file."""
        return self._model.metadata(name)

    def parameters(self, operators: Sequence[int]) -> int:
        """Numbers in the weights of some operators; see `cost.py` for what counts."""
        with as_damaged_file(self.path):
            part = self._model.copy()
            part.graph.operators = [part.operators[number] for number in operators]
            return sum(layer["parameters"] for layer in layer_costs(part))

    def cut(self, operators: Sequence[int], output: int) -> bytes:
        """A .tflite file of some of the operators, whose output is a tensor that may lie in the middle."""
        with as_damaged_file(self.path):
            return extract(self._model, operators, self.inputs, output).write()

    def _check(self) -> None:
        """Check that all tensors exist: raises IndexError for a number that is out of range."""
        there = {-1, *self.inputs, *(n for n, tensor in enumerate(self.tensors) if tensor.constant is not None)}
        for operator in self.operators:
            # A computed tensor without a producer holds a state, or is an empty constant; translating finds out.
            for number in (*operator.inputs, *operator.outputs):
                if number not in there and not 0 <= number < len(self.tensors):
                    raise IndexError(number)
        for number in (*self.inputs, *self.outputs):
            self.tensors[number]

    def _unpack(self) -> None:
        """Make the outputs of DEQUANTIZE of constants constants: float16 weights are stored like this."""
        for operator in self.operators:
            if operator.kind == "DEQUANTIZE" and not operator.custom:
                constant = self.tensors[operator.inputs[0]].constant
                output = operator.outputs[0]
                self.tensors[output] = replace(self.tensors[output], constant=constant)


def _refuse_bundle(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return  # read_model says it
    if start == b"PK\3\4":
        raise EdgeretrainError(
            f"{path}: is a zip archive, such as a MediaPipe .task bundle, not a .tflite file. Take the .tflite file "
            f"out of it: unzip {path.name}"
        )


def _tensor(model: Model, number: int) -> Tensor:
    entry = model.tensors[number]
    shape, signature = numbers(entry.shape), numbers(entry.shapeSignature)
    sides = signature if len(signature) == len(shape) else shape
    quantization = entry.quantization
    scales = () if quantization is None or quantization.scale is None else tuple(float(s) for s in quantization.scale)
    points = () if quantization is None else numbers(quantization.zeroPoint)
    points = points if len(points) == len(scales) else (0,) * len(scales)
    constant = model.constant(number)
    if constant is not None:
        constant = _real(constant, scales, points, 0 if quantization is None else int(quantization.quantizedDimension))
    open_shape = tuple(None if side < 0 else side for side in sides)
    return Tensor(text(entry.name), open_shape, model.dtype(number), scales, points, constant)


def _real(stored: Array, scale: tuple[float, ...], zero_point: tuple[int, ...], axis: int) -> Array:
    """The real numbers that a constant stands for; integers that are not quantized as they are."""
    if stored.dtype.kind == "f":
        return stored.astype(np.float32)
    if not scale:
        return stored
    shape = [1] * stored.ndim
    if len(scale) > 1:
        shape[axis] = len(scale)
    scales = np.asarray(scale, np.float64).reshape(shape if stored.ndim else ())
    points = np.asarray(zero_point, np.float64).reshape(shape if stored.ndim else ())
    with np.errstate(all="ignore"):  # a damaged scale
        return np.asarray((stored - points) * scales, np.float32)
