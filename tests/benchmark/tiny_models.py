"""TFLite models of a few operators, made for the benchmark's tests: good ones, and ones that fail in each way."""

from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.tflite.flatbuffer import schema, write_model
from edgeretrain.tflite.model import Model

FLOAT32, INT32, UINT8, INT8, BOOL, STRING = "FLOAT32", "INT32", "UINT8", "INT8", "BOOL", "STRING"


def classifier(path: Path, *, shape: tuple[int, ...] = (1, 8, 8, 3), dtype: str = FLOAT32, classes: int = 5) -> Path:
    """An image [1, H, W, C] through one FULLY_CONNECTED layer; quantized inputs have scale 1/255."""
    graph = Graph()
    features = int(np.prod(shape))
    quantized = dtype != FLOAT32
    image = graph.tensor("image", shape, dtype, scale=1 / 255 if quantized else None)
    weights = np.random.default_rng(0).integers(-50, 50, (classes, features))
    if quantized:
        zero_point = 128 if dtype == UINT8 else 0  # what the kernels of each kind ask for
        stored = (weights + zero_point).astype(np.uint8 if dtype == UINT8 else np.int8)
        kernel = graph.tensor("kernel", weights.shape, dtype, stored, scale=0.01, zero_point=zero_point)
        scores = graph.tensor("scores", (1, classes), dtype, scale=0.5)
    else:
        kernel = graph.tensor("kernel", weights.shape, FLOAT32, (weights / 100).astype(np.float32))
        scores = graph.tensor("scores", (1, classes), FLOAT32)
    graph.operator("FULLY_CONNECTED", [image, kernel, -1], [scores], options="FullyConnectedOptions")
    return graph.write(path, [image], [scores])


def sum_of_two(path: Path) -> Path:
    """Two inputs of different kinds, float32 [1, 4] and int32 [1, 4], and two outputs."""
    graph = Graph()
    real, whole = graph.tensor("real", (1, 4), FLOAT32), graph.tensor("whole", (1, 4), INT32)
    cast, added = graph.tensor("cast", (1, 4), FLOAT32), graph.tensor("added", (1, 4), FLOAT32)
    graph.operator("CAST", [whole], [cast])
    graph.operator("ADD", [real, cast], [added], options="AddOptions")
    return graph.write(path, [real, whole], [added, cast])


def text_input(path: Path) -> Path:
    """An input of strings, which nothing can fill at random."""
    graph = Graph()
    text, shape = graph.tensor("text", (1,), STRING), graph.tensor("shape", (1,), INT32)
    graph.operator("SHAPE", [text], [shape], options="ShapeOptions", fields={"outType": schema().TensorType.INT32})
    return graph.write(path, [text], [shape])


def unknown_operator(path: Path) -> Path:
    """A custom operator that no runtime has: it does not load."""
    graph = Graph()
    before, after = graph.tensor("before", (1, 4), FLOAT32), graph.tensor("after", (1, 4), FLOAT32)
    graph.operator("CUSTOM", [before], [after], custom="Flux")
    return graph.write(path, [before], [after])


def crasher(path: Path) -> Path:
    """An IF whose branches are the very subgraph that it stands in: LiteRT recurses until the stack is full."""
    graph = Graph()
    ends = []
    for subgraph in (graph.current, None):
        own = subgraph or graph.subgraph()
        before, after = graph.tensor("before", (4,), FLOAT32), graph.tensor("after", (4,), FLOAT32)
        true = graph.tensor("true", (1,), BOOL, np.ones(1, np.bool_))
        fields = {"thenSubgraphIndex": 1, "elseSubgraphIndex": 1}
        graph.operator("IF", [true, before], [after], options="IfOptions", fields=fields)
        own.inputs, own.outputs = [before], [after]
        ends.append((before, after))
    return graph.write(path, [ends[0][0]], [ends[0][1]])


def division_by_zero(path: Path) -> Path:
    """It loads, and every inference fails."""
    graph = Graph()
    before, after = graph.tensor("before", (4,), INT32), graph.tensor("after", (4,), INT32)
    zeros = graph.tensor("zeros", (4,), INT32, np.zeros(4, np.int32))
    graph.operator("FLOOR_MOD", [before, zeros], [after], options="FloorModOptions")
    return graph.write(path, [before], [after])


def endless(path: Path) -> Path:
    """A WHILE whose condition always holds: the first inference never returns."""
    graph, fields = Graph(), {"condSubgraphIndex": 1, "bodySubgraphIndex": 2}
    before, after = graph.tensor("before", (4,), FLOAT32), graph.tensor("after", (4,), FLOAT32)
    graph.operator("WHILE", [before], [after], options="WhileOptions", fields=fields)
    condition = graph.subgraph()
    state = graph.tensor("state", (4,), FLOAT32)
    zero, holds = graph.tensor("zero", (1,), FLOAT32, np.zeros((1,), np.float32)), graph.tensor("holds", (1,), BOOL)
    first = graph.tensor("first", (1,), FLOAT32)
    begin = graph.tensor("begin", (1,), INT32, np.zeros(1, np.int32))
    size = graph.tensor("size", (1,), INT32, np.ones(1, np.int32))
    graph.operator("SLICE", [state, begin, size], [first], options="SliceOptions")
    graph.operator("GREATER_EQUAL", [first, zero], [holds], options="GreaterEqualOptions")
    condition.inputs, condition.outputs = [state], [holds]
    body = graph.subgraph()
    state, same = graph.tensor("state", (4,), FLOAT32), graph.tensor("same", (4,), FLOAT32)
    graph.operator("ABS", [state], [same], options="AbsOptions")
    body.inputs, body.outputs = [state], [same]
    return graph.write(path, [before], [after])


class Graph:
    """A model in the making: tensors and operators go to the last subgraph begun."""

    def __init__(self) -> None:
        self._schema = schema()
        self.model = self._schema.ModelT()
        self.model.version = 3
        self.model.operatorCodes, self.model.buffers, self.model.subgraphs = [], [self._schema.BufferT()], []
        self.current = self.subgraph()

    def subgraph(self) -> Any:
        self.current = self._schema.SubGraphT()
        self.current.tensors, self.current.operators, self.current.inputs, self.current.outputs = [], [], [], []
        self.model.subgraphs.append(self.current)
        return self.current

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: str,
        values: Any = None,
        *,
        scale: float | None = None,
        zero_point: int = 0,
    ) -> int:
        tensor = self._schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), getattr(self._schema.TensorType, dtype)
        tensor.buffer = 0 if values is None else Model(self.model).add_buffer(values.tobytes())
        if scale is not None:
            tensor.quantization = self._schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
        self.current.tensors.append(tensor)
        return len(self.current.tensors) - 1

    def operator(
        self,
        kind: str,
        inputs: list[int],
        outputs: list[int],
        *,
        options: str | None = None,
        fields: dict[str, int] | None = None,
        custom: str | None = None,
    ) -> None:
        code = self._schema.OperatorCodeT()
        code.builtinCode = getattr(self._schema.BuiltinOperator, kind)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version, code.customCode = 1, custom
        self.model.operatorCodes.append(code)
        operator = self._schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            operator.builtinOptionsType = getattr(self._schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(self._schema, f"{options}T")()
            for name, value in (fields or {}).items():
                setattr(operator.builtinOptions, name, value)
        self.current.operators.append(operator)

    def write(self, path: Path, inputs: list[int], outputs: list[int]) -> Path:
        first = self.model.subgraphs[0]
        first.inputs, first.outputs = inputs, outputs
        path.write_bytes(write_model(self.model))
        return path
