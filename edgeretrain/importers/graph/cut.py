"""A graph cut at its bottleneck, as a function of photos."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.graph.arithmetic import FAKE_QUANTIZATION, is_arithmetic
from edgeretrain.importers.graph.classifier import (
    ClassifierHead,
    Shapes,
    dense_layers,
    find_classifier,
    is_row,
    skip_identities,
)
from edgeretrain.importers.graph.image import ImageInput, compose, feed_nodes, find_image
from edgeretrain.importers.graph.nodes import Nodes, node_of
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import GraphDef, TfTensor

_POOLINGS = ("Mean", "Max", "AvgPool", "MaxPool")


@dataclass(frozen=True)
class BottleneckCandidate:
    """A tensor that can be the bottleneck, and how many numbers it holds for a photo."""

    tensor: str
    length: int


@dataclass(frozen=True)
class CutGraph:
    """A graph from the photo to the bottleneck.

    Attributes:
        input: the tensor that a user of the graph feeds with photos.
        size: side of the photo, pixels.
        pixels: the range of the pixels that `input` expects, by the graph and its names; None: not known.
        pixels_by: how that is known; "" if it is not.
        layer: the tensor of the bottleneck.
        length: d, how many numbers the bottleneck holds.
        grid: height and width of the feature map that `layer` is, which is averaged; None when it is a vector.
        candidates: tensors that could be the bottleneck, from the photo to the output.
        classifier: the dense layers from the bottleneck to the end; None if there are none, or if the bottleneck was
            named.
        pooling: the output of the last pooling of a whole feature map that all paths from the photo to the output
            pass.
        dense_input: the input of the last dense layer that all paths pass, whatever follows it.
        output: the tensor at the end.
        network: the photo at `entry`, `float32 [1,S,S,3]` -> bottleneck `[1,d]`; can be traced. `entry` is `input`
            behind the scaling that the graph itself does: `scaling` puts the two together.
        parameters: numbers in the constants that the bottleneck needs.
        fake_quantized: whether the graph was trained for int8: what it rounds for that, `network` does not.
    """

    input: str
    size: int
    pixels: Scaling | None
    pixels_by: str
    layer: str
    length: int
    grid: tuple[int, int] | None
    candidates: tuple[BottleneckCandidate, ...]
    classifier: ClassifierHead | None
    pooling: str | None
    dense_input: str | None
    output: str
    network: Callable[[TfTensor], TfTensor]
    parameters: int
    fake_quantized: bool
    _nodes: Nodes
    _image: ImageInput

    def scaling(self, pixels: Scaling) -> Scaling:
        """The scaling of the photo that `network` takes, when `input` takes photos scaled like `pixels`."""
        return compose(pixels, self._image.own)

    def at(self, tensor: str) -> "CutGraph":
        """The same graph cut at another tensor on the way to the output."""
        return _cut(self._nodes, self._image, self.size, tensor, tensor)

    def run(self, tensor: str, photos: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """What the whole graph, uncut, computes for photos `[n,S,S,3]` at `input`, one by one: `[n,...]`."""
        import tensorflow as tf

        if tensor == self.input:
            return photos
        with quiet(), tf.Graph().as_default():
            photo = tf.compat.v1.placeholder(tf.float32, (1, self.size, self.size, 3))
            part = self._nodes.part([tensor], {self.input}, rounded=True)
            (result,) = tf.graph_util.import_graph_def(
                part, input_map={self.input: photo}, return_elements=[tensor], name=""
            )
            with tf.compat.v1.Session() as session:
                return np.concatenate([session.run(result, {photo: pixels[None]}) for pixels in photos])


def cut_graph(
    graph_def: GraphDef,
    overrides: SourceOverrides,
    *,
    what: str,
    input: str | None = None,
    output: str | None = None,
    side: int | None = None,
) -> CutGraph:
    """Find the image input and the bottleneck of a graph, and make a function of what lies between.

    The bottleneck is what the last dense layer takes. Where that layer works on the output of another (TensorFlow for
    Poets: on ImageNet's class scores), it is what the first of the two takes. `overrides.layer` names any other tensor;
    a map in it is averaged.

    Args:
        graph_def: a `GraphDef`, frozen: no variables. It is data; see `arithmetic.py` for what is let through.
        overrides: the user's options. The rest is read from the graph.
        what: the file's name, for messages.
        input: the tensor that takes the photo, if the caller knows it; the user's option comes first.
        output: the tensor at the end, when the caller knows it.
        side: of the photos that `input` takes, pixels, when the caller knows it.

    Raises:
        EdgeretrainError: there is no image input, or several; the cut or the photo's size is unknown; a
            tensor does not exist; the graph is not frozen, is rewritten to 8 bits, or does more than arithmetic.
    """
    nodes = Nodes(graph_def, what)
    if not nodes.by_name:
        raise EdgeretrainError(f"{what}: is empty: it has no operations. Copy or make it again.")
    layer = nodes.find(overrides.layer, "--layer") if overrides.layer is not None else None
    end = nodes.find(output, "--output") if output is not None else None
    ends = [end] if end is not None else _ends(nodes)
    within = [layer] if layer is not None and feed_nodes(nodes, [layer]) else ends
    image = find_image(nodes, within, overrides.input if overrides.input else input, side)
    size = overrides.size or side or image.size
    if size is None:
        raise EdgeretrainError(
            f"{what}: does not say which photo size {image.tensor} takes. Give --size, the side in pixels, such as "
            "--size 224."
        )
    ends = [tensor for tensor in ends if node_of(tensor) in nodes.reached(image.entry)]
    if layer is None and len(ends) > 1:
        scores = [tensor for tensor in ends if _comes_from_softmax(nodes, tensor)]
        ends = scores if len(scores) == 1 else ends
    if (not ends and layer is None) or (layer is not None and node_of(layer) not in nodes.reached(image.entry)):
        raise EdgeretrainError(
            f"{what}: {layer or 'its output'} is not computed from the photo at {image.tensor}. Give an "
            "--input and a --layer that belong together."
        )
    if layer is None and len(ends) > 1:
        raise EdgeretrainError(
            f"{what}: has several outputs: {', '.join(ends[:8])}. Choose the tensor of the bottleneck with --layer."
        )
    return _cut(nodes, image, size, layer, layer or ends[0])


def _ends(nodes: Nodes) -> list[str]:
    """The tensors that nothing takes."""
    ends = []
    for name, node in nodes.by_name.items():
        if not nodes.taken(name) and is_arithmetic(node.op) and nodes.inputs(name):
            ends.append(f"{name}:0")
    if not ends:
        # Something that cannot be let through: let the check of the operations say it.
        ends = [f"{name}:0" for name in nodes.by_name][-1:]
    return ends


def _comes_from_softmax(nodes: Nodes, tensor: str) -> bool:
    node = nodes.by_name[node_of(tensor)]
    while node.op in ("Identity", "Reshape", "Squeeze"):
        node = nodes.by_name[node_of(nodes.inputs(node.name)[0])]
    return bool(node.op == "Softmax")


def _cut(nodes: Nodes, image: ImageInput, size: int, layer: str | None, output: str) -> CutGraph:
    ends = [output]
    reached = nodes.reached(image.entry)
    order = [name for name in nodes.needed(ends, {image.entry}) if name in reached]
    part = nodes.part(ends, {image.entry})
    shapes = _shapes(nodes, part, image, size)
    computed = set(order) | {node_of(image.entry)}
    classifier = find_classifier(nodes, output, computed, shapes) if layer is None else None
    shown = layer or (classifier.input if classifier is not None else skip_identities(nodes, output, shapes))
    gates = _gates(nodes, image.entry, order)
    dense = [pair for pair in dense_layers(nodes, order, shapes) if pair[1] in gates]
    candidates = _candidates(dense, gates, shapes, shown)
    start = skip_identities(nodes, shown, shapes) if shapes(shown) else shown  # otherwise there is no such output
    source, averaged = _averaged(nodes, start, computed, shapes)
    network = _network(nodes, image, source, averaged)
    length = _length(nodes, network, shown, size)
    return CutGraph(
        input=image.tensor,
        size=size,
        pixels=image.pixels,
        pixels_by=image.by,
        layer=shown,
        length=length,
        grid=_grid(shapes(shown)),
        candidates=candidates,
        classifier=classifier,
        pooling=_last_pooling(nodes, order, gates, shapes),
        dense_input=next((tensor for tensor, _ in reversed(dense) if is_row(shapes(tensor))), None),
        output=output,
        network=network,
        parameters=_parameters(nodes, source, image.entry),
        fake_quantized=any(nodes.by_name[name].op in FAKE_QUANTIZATION for name in order),
        _nodes=nodes,
        _image=image,
    )


def _shapes(nodes: Nodes, part: GraphDef, image: ImageInput, size: int) -> Shapes:
    """The shapes of a part's tensors for one photo."""
    import tensorflow as tf

    graph = tf.Graph()
    with quiet(), graph.as_default():
        photo = tf.compat.v1.placeholder(tf.float32, (1, size, size, 3))
        try:
            tf.graph_util.import_graph_def(part, input_map={image.entry: photo}, name="")
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise _refused_by_tensorflow(nodes, image, size, error) from None

    def shape(tensor: str) -> Sequence[int | None]:
        if tensor == image.entry:
            return (1, size, size, 3)
        try:
            known = graph.get_tensor_by_name(tensor).shape
        except (KeyError, ValueError):
            return ()
        return tuple(known.as_list()) if known.rank is not None else ()

    return shape


def _refused_by_tensorflow(nodes: Nodes, image: ImageInput, size: int, error: Exception) -> EdgeretrainError:
    if image.size is not None and image.size != size:
        advice = f"It was made for {image.size}: leave --size out."
    else:
        advice = "Choose other tensors with --input and --layer, or another --size."
    return nodes.refused(f"cannot run it on photos of {size} pixels at {image.tensor}", error, advice)


def _candidates(
    dense: Sequence[tuple[str, str]], gates: set[str], shapes: Shapes, shown: str
) -> tuple[BottleneckCandidate, ...]:
    """Inputs and outputs of dense layers that all paths from the photo to the output pass."""
    # The last one's result is not a bottleneck but the scores.
    tensors = dict.fromkeys([tensor for pair in dense for tensor in pair][:-1])
    candidates = []
    for tensor in (*tensors, *(() if shown in tensors else (shown,))):
        length = shapes(tensor)[-1] if shapes(tensor) else None
        if length and (tensor == shown or tensor in gates):
            candidates.append(BottleneckCandidate(tensor, length))
    return tuple(candidates)


def _last_pooling(nodes: Nodes, order: Sequence[str], gates: set[str], shapes: Shapes) -> str | None:
    """The result of the last pooling of a whole map; those inside a block, such as squeeze-and-excitation's, are
    passed by."""
    for name in reversed(order):
        if nodes.by_name[name].op not in _POOLINGS or f"{name}:0" not in gates:
            continue
        above, below = shapes(f"{name}:0"), shapes(nodes.inputs(name)[0])
        if len(below) == 4 and is_row(above) and above[-1] == below[-1]:
            return f"{name}:0"
    return None


def _grid(shape: Sequence[int | None]) -> tuple[int, int] | None:
    if len(shape) != 4 or shape[1] is None or shape[2] is None or shape[1] * shape[2] == 1:
        return None
    return shape[1], shape[2]


def _gates(nodes: Nodes, entry: str, order: Sequence[str]) -> set[str]:
    """The tensors that all paths from the photo to the output pass.

    Args:
        order: the nodes between the two, each after its inputs.
    """
    places = {name: place for place, name in enumerate(order)}

    def last_taker(tensor: str) -> int:
        return max((places[name] for name in nodes.consumers.get(tensor, ()) if name in places), default=-1)

    gates, furthest = {entry}, last_taker(entry)
    for place, name in enumerate(order):
        taken = [tensor for tensor in nodes.taken(name) if last_taker(tensor) >= 0] or [f"{name}:0"]
        if furthest <= place and len(taken) == 1:
            gates.add(taken[0])
        furthest = max(furthest, *map(last_taker, taken))
    return gates


def _averaged(nodes: Nodes, tensor: str, computed: set[str], shapes: Shapes) -> tuple[str, bool]:
    """A pooling over a whole map is the map's mean: the tensor to take, and whether it is to be averaged."""
    shape = shapes(tensor)
    if len(shape) == 4 and tuple(shape[1:3]) != (1, 1):
        return tensor, True
    node = nodes.by_name[node_of(tensor)]
    inputs = nodes.inputs(node.name)
    if node.op not in ("AvgPool", "Mean") or not inputs or node_of(inputs[0]) not in computed:
        return tensor, False
    below = shapes(inputs[0])
    if len(below) != 4 or node.attr["data_format"].s not in (b"", b"NHWC"):
        return tensor, False
    if node.op == "AvgPool":
        # With SAME and a window as large as the map there is no border either.
        whole = tuple(node.attr["ksize"].list.i)[1:3] == tuple(below[1:3])
    else:
        whole = sorted(int(axis) % 4 for axis in nodes.value(inputs[1]).reshape(-1)) == [1, 2]
    return (inputs[0], True) if whole else (tensor, False)


def _network(nodes: Nodes, image: ImageInput, source: str, averaged: bool) -> Callable[[TfTensor], TfTensor]:
    """Scaled photo at the entry -> bottleneck."""
    part = nodes.part([source], {image.entry})

    def build(scaled: TfTensor) -> TfTensor:
        import tensorflow as tf

        (values,) = tf.graph_util.import_graph_def(
            part, input_map={image.entry: scaled}, return_elements=[source], name="network"
        )
        if values.dtype in (tf.float16, tf.bfloat16, tf.float64):
            values = tf.cast(values, tf.float32)
        return tf.reduce_mean(values, axis=(1, 2)) if averaged else tf.reshape(values, (1, -1))

    sessions: dict[tuple[int, ...], Callable[[TfTensor], TfTensor]] = {}

    def network(scaled: TfTensor) -> TfTensor:
        import tensorflow as tf

        if not tf.executing_eagerly():
            return build(scaled)
        shape = tuple(scaled.shape)
        if shape not in sessions:
            # A session, not a function: wrapping a large graph copies it node by node.
            with tf.Graph().as_default():
                photo = tf.compat.v1.placeholder(tf.float32, shape)
                sessions[shape] = tf.compat.v1.Session().make_callable(build(photo), [photo])
        return tf.constant(sessions[shape](np.asarray(scaled)))

    return network


def _length(nodes: Nodes, network: Callable[[TfTensor], TfTensor], shown: str, size: int) -> int:
    """How many numbers the bottleneck holds; the network is run once for that."""
    import tensorflow as tf

    try:
        with quiet():
            values = np.asarray(network(tf.zeros((1, size, size, 3))))
    except (ValueError, TypeError, tf.errors.OpError) as error:
        advice = "Choose another --size, or another --layer."
        raise nodes.refused(f"cannot run it up to {shown} on photos of {size} pixels", error, advice) from None
    if values.dtype != np.float32 or values.shape[0] != 1:
        raise EdgeretrainError(
            f"{nodes.what}: {shown} is {values.dtype} {list(values.shape)}, not float32 numbers for one photo. Choose "
            "another --layer."
        )
    return int(values.shape[1])


def _parameters(nodes: Nodes, tensor: str, entry: str) -> int:
    """Numbers in the constants that a tensor needs; lone numbers, such as a norm's epsilon, are not counted."""
    import tensorflow as tf

    floats = (tf.float32.as_datatype_enum, tf.float16.as_datatype_enum)
    count = 0
    for name in nodes.needed([tensor], {entry}):
        node = nodes.by_name[name]
        if node.op == "Const" and node.attr["dtype"].type in floats:
            dims = [dim.size for dim in node.attr["value"].tensor.tensor_shape.dim]
            count += math.prod(dims) if dims else 0
    return count
