"""A Keras network traced and frozen, with its layers: from here on it is a graph like any other."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.freezing import freeze_function
from edgeretrain.importers.graph.nodes import node_of, tensor_of
from edgeretrain.tflite.tensorflow_types import GraphDef, KerasLayer, KerasModel, TfTensor


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer while the network was traced.

    Attributes:
        path: the layer's name behind the names of the networks it is nested in, such as `backbone/Conv1`.
        kind: the layer's class.
        input, output: tensors of the graph; `input` is None when the layer was given several, `output` when it gave
            several.
        shape: of `output`; None when that is None, or when TensorFlow does not know its rank.
    """

    path: str
    kind: str
    input: str | None
    output: str | None
    shape: tuple[int | None, ...] | None

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def is_bottleneck(self) -> bool:
        """Whether its output can be a bottleneck: a vector `[1,d]` or a feature map `[1,h,w,d]`."""
        return self.shape is not None and len(self.shape) in (2, 4)


@dataclass(frozen=True)
class KerasGraph:
    """A network of Keras as TensorFlow's graph for one photo, in inference mode.

    Attributes:
        graph_def: frozen: the weights are constants.
        photo: the tensor that takes the photo, `float32 [1,S,S,3]`.
        output: the whole network, as one more call; its path is empty.
        calls: of its layers and the networks nested in it, each listed when it was done.
    """

    graph_def: GraphDef
    photo: str
    output: LayerCall
    calls: tuple[LayerCall, ...]

    def path_of(self, tensor: str) -> str:
        """The path of the innermost layer whose output this is; the tensor's own name if it is not a layer's."""
        nodes = {node.name: node for node in self.graph_def.node}
        for call in self.calls:
            output = call.output
            while output not in (None, tensor) and (node := nodes[node_of(output)]).op in ("Identity", "Cast"):
                output = tensor_of(node.input[0])
            if output == tensor:
                return call.path
        return tensor

    def examples(self) -> str:
        """The last layers, for messages."""
        return ", ".join(dict.fromkeys(call.path for call in reversed(self.calls[-3:])))


def keras_graph(model: KerasModel, size: int, what: str) -> KerasGraph:
    """Trace a network for a photo of `size` x `size` pixels and freeze it.

    Args:
        model: of Keras, loaded for this alone: each of its layers is made to mark its output in the graph. The marks
            are identities. The names that Keras gives to operations would not do: a layer that is called twice takes
            the name of another (`dense` is `dense_1` then, and `dense_1` is `dense_1_2`).
        what: what error messages call it.

    Raises:
        EdgeretrainError: TensorFlow cannot freeze it.
        Exception: TensorFlow's, if the network cannot take such a photo.
    """
    import tensorflow as tf

    calls: list[LayerCall] = []
    names: list[str] = []
    for layer in {id(layer): layer for layer in _layers(model)}.values():
        layer.call = _marking(layer, names, calls)

    def run(photo: TfTensor) -> TfTensor:
        calls.clear()  # TensorFlow may trace twice
        return model(photo, training=False)

    photo = tf.TensorSpec((1, size, size, 3), tf.float32, name="photo")
    function = freeze_function(tf.function(run, autograph=False).get_concrete_function(photo), what)
    graph_def = function.graph.as_graph_def()
    there = {node.name for node in graph_def.node}
    kept = tuple(call for call in calls if call.output is None or node_of(call.output) in there)
    single = function.outputs[0] if len(function.outputs) == 1 else None
    return KerasGraph(graph_def, function.inputs[0].name, _call("", model, function.inputs, single), kept)


def _layers(network: KerasModel) -> Iterator[KerasLayer]:
    """The layers of a network, those of networks in it too."""
    for layer in getattr(network, "layers", ()):
        yield layer
        yield from _layers(layer)


def _marking(layer: KerasLayer, names: list[str], calls: list[LayerCall]) -> Callable[..., Any]:
    """What a layer does when it is called, with a mark at its output, and the call added to `calls`."""
    import tensorflow as tf

    ordinary = layer.call

    def call(*inputs: Any, **named: Any) -> Any:
        names.append(layer.name)
        try:
            output = ordinary(*inputs, **named)
            if tf.is_tensor(output):
                output = tf.identity(output, name="layer_output")
            calls.append(_call("/".join(names), layer, inputs, output))
            return output
        finally:
            names.pop()

    return call


def _call(path: str, layer: KerasLayer, inputs: Sequence[TfTensor], output: TfTensor) -> LayerCall:
    import tensorflow as tf

    before = inputs[0].name if inputs and tf.is_tensor(inputs[0]) else None
    if not tf.is_tensor(output):
        return LayerCall(path, type(layer).__name__, before, None, None)
    shape = tuple(output.shape.as_list()) if output.shape.rank is not None else None
    return LayerCall(path, type(layer).__name__, before, output.name, shape)


def find_layer(graph: KerasGraph, layer: str, what: str) -> LayerCall:
    """The layer that the user names, by its name or by its path: its last call.

    Raises:
        EdgeretrainError: there is no such layer, or there are several; it gives neither a vector nor a feature map.
    """
    layer = layer.strip().strip("/")
    matches = [call for call in graph.calls if call.path == layer]
    matches = matches or [call for call in graph.calls if call.name == layer]
    paths = list(dict.fromkeys(call.path for call in matches))
    if len(paths) > 1:
        raise EdgeretrainError(f"{what}: has several layers {layer}. Give --layer one of {', '.join(paths)}.")
    if not matches:
        paths = [call.path for call in graph.calls]
        names = {call.name: call.path for call in graph.calls}
        near = difflib.get_close_matches(layer, [*paths, *names], n=3, cutoff=0.5)
        nearest = ", ".join(dict.fromkeys(names.get(name, name) for name in near)) or graph.examples()
        raise EdgeretrainError(f"{what}: has no layer {layer}. Nearest: {nearest}. Give --layer one of its layers.")
    if not matches[-1].is_bottleneck:
        raise EdgeretrainError(
            f"{what}: the layer {layer} gives {shape_text(matches[-1])}, neither a vector nor a feature map. "
            "Give --layer another one."
        )
    return matches[-1]


def shape_text(call: LayerCall) -> str:
    """What a layer gives for one photo, for messages."""
    return "several outputs" if call.shape is None else str([*call.shape[1:]])
