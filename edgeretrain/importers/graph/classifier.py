"""The dense layers at the end of a graph: where the bottleneck ends and the classifier begins."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.importers.graph.arithmetic import FAKE_QUANTIZATION, RESHAPES, SAME_VALUES
from edgeretrain.importers.graph.nodes import Nodes, node_of
from edgeretrain.tflite.tensorflow_types import NodeDef

Shapes = Callable[[str], Sequence[int | None]]

_PASSED = SAME_VALUES | RESHAPES | FAKE_QUANTIZATION
_SCORES = ("Softmax", "LogSoftmax", "Sigmoid")


@dataclass(frozen=True)
class ClassifierHead:
    """What a graph does with the bottleneck: scores = softmax(bottleneck @ weights + bias).

    Dense layers one after another, with nothing in between, are one: TensorFlow for Poets puts its layer behind
    ImageNet's, and 1024 features -> 1001 class scores -> 2 logits is one layer of 1024 x 2.

    Attributes:
        weights: float32 `[d,k]`.
        bias: float32 `[k]`.
        input: the tensor of the bottleneck.
        output: the tensor of the scores.
        function: what makes scores of logits: `Softmax`, `LogSoftmax`, `Sigmoid`, or "" when they are logits. `ArgMax`
            when the output is only the best class.
        layers: the dense layers' nodes, first to last.
    """

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    input: str
    output: str
    function: str
    layers: tuple[str, ...]


@dataclass(frozen=True)
class _Dense:
    name: str
    weights: npt.NDArray[np.float64]
    bias: npt.NDArray[np.float64]
    input: str


def find_classifier(nodes: Nodes, output: str, computed: set[str], shapes: Shapes) -> ClassifierHead | None:
    """The dense layers that end at `output`, walked back from there.

    Args:
        computed: names of the nodes that depend on the photo; all others are constant.
        shapes: of tensors, for one photo.

    Returns:
        None when the output does not come from a dense layer.
    """
    tensor, function = skip_identities(nodes, output, shapes), ""
    for functions in (("ArgMax",), _SCORES):
        node = nodes.by_name[node_of(tensor)]
        if node.op in functions:
            function = function or node.op
            tensor = skip_identities(nodes, nodes.inputs(node.name)[0], shapes)
    dense = _dense_at(nodes, tensor, computed, shapes)
    if dense is None:
        return None
    weights, bias, layers, start = dense.weights, dense.bias, [dense.name], dense.input
    while (earlier := _dense_at(nodes, skip_identities(nodes, start, shapes), computed, shapes)) is not None:
        weights, bias = earlier.weights @ weights, earlier.bias @ weights + bias
        layers.insert(0, earlier.name)
        start = earlier.input
    single = (weights.astype(np.float32), bias.astype(np.float32))
    return ClassifierHead(*single, skip_identities(nodes, start, shapes), output, function, tuple(layers))


def dense_layers(nodes: Nodes, computed: Sequence[str], shapes: Shapes) -> list[tuple[str, str]]:
    """The dense layers among these nodes, in order: (the tensor each takes, its result with the bias added)."""
    layers = []
    for name in computed:
        if _is_dense(nodes.by_name[name], shapes) and _split_constant_input(nodes, name, set(computed)) is not None:
            result = f"{name}:0"
            for taker in nodes.consumers.get(result, ()):
                if nodes.by_name[taker].op in ("Add", "AddV2", "BiasAdd"):
                    result = f"{taker}:0"
            layers.append((skip_identities(nodes, nodes.inputs(name)[0], shapes), result))
    return layers


def skip_identities(nodes: Nodes, tensor: str, shapes: Shapes) -> str:
    """The tensor that has the same values as this one, before it was handed on, and `[1,1,1,d]` became `[1,d]`."""
    while True:
        node = nodes.by_name[node_of(tensor)]
        inputs = nodes.inputs(node.name)
        if node.op not in _PASSED or not inputs or inputs[0] not in nodes.consumers:
            return tensor
        if node.op in RESHAPES and not is_row(shapes(inputs[0])):
            return tensor
        tensor = inputs[0]


def is_row(shape: Sequence[int | None]) -> bool:
    """Whether it is one row of numbers, `[1,d]` or `[1,1,1,d]`."""
    return len(shape) >= 2 and shape[-1] is not None and all(length == 1 for length in shape[:-1])


def _is_dense(node: NodeDef, shapes: Shapes) -> bool:
    if node.op == "MatMul":
        return not node.attr["transpose_a"].b
    return bool(node.op == "Conv2D" and is_row(shapes(f"{node.name}:0")) and is_row(shapes(_first(node))))


def _first(node: NodeDef) -> str:
    name = str(node.input[0])
    return name if ":" in name else f"{name}:0"


def _split_constant_input(nodes: Nodes, name: str, computed: set[str]) -> tuple[str, str] | None:
    """The input that depends on the photo and the constant one, of a node that has one of each."""
    inputs = nodes.inputs(name)
    if len(inputs) != 2:
        return None
    moving = [tensor for tensor in inputs if node_of(tensor) in computed]
    fixed = [tensor for tensor in inputs if node_of(tensor) not in computed]
    return (moving[0], fixed[0]) if len(moving) == 1 else None


def _dense_at(nodes: Nodes, tensor: str, computed: set[str], shapes: Shapes) -> _Dense | None:
    """The dense layer whose result, with or without bias, is this tensor."""
    bias: npt.NDArray[np.float64] | None = None
    node = nodes.by_name[node_of(tensor)]
    if node.op in ("Add", "AddV2", "BiasAdd"):
        parts = _split_constant_input(nodes, node.name, computed)
        if parts is None or not is_row(shapes(f"{node.name}:0")):
            return None
        bias = nodes.value(parts[1]).astype(np.float64).reshape(-1)
        tensor = skip_identities(nodes, parts[0], shapes)
        node = nodes.by_name[node_of(tensor)]
    if not _is_dense(node, shapes):
        return None
    parts = _split_constant_input(nodes, node.name, computed)
    if parts is None or nodes.inputs(node.name)[0] != parts[0]:
        return None
    weights = nodes.value(parts[1]).astype(np.float64)
    if node.op == "Conv2D":
        if weights.shape[:2] != (1, 1):
            return None
        weights = weights[0, 0]
    elif node.attr["transpose_b"].b:
        weights = weights.T
    if bias is None:
        bias = np.zeros(weights.shape[1])
    if len(bias) not in (1, weights.shape[1]) or not is_row(shapes(parts[0])):
        return None
    return _Dense(node.name, weights, np.broadcast_to(bias, weights.shape[1:]), parts[0])
