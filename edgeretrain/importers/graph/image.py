"""Where a photo enters a graph, and the range of its pixels by the graph and its names."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.graph.arithmetic import SAME_VALUES
from edgeretrain.importers.graph.nodes import Nodes, node_of
from edgeretrain.tflite.tensorflow_types import NodeDef

RAW = Scaling((1.0,), (0.0,))

_DECODERS = ("DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeGif", "DecodeAndCropJpeg")
_RESIZES = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea")
_ANOTHER_SHAPE = (*_RESIZES, "ExpandDims", "Squeeze", "Cast")

# Names that say how a network was trained, where its graph does not: (a node's name, pixels, who says so).
_KNOWN = (
    # retrain.py of tensorflow/hub; "common signature for images": values in the range 0 to 1.
    (r"(^|/)module(_\d+)?(_apply_\w+)?/|hub_(input|output)", Scaling.between(0, 1), "TensorFlow Hub's convention"),
    # retrain.py: input_mean = input_std = 127.5 for MobileNet; slim's inception_preprocessing: the same.
    (r"(^|/)Mobilenet(V\d|Edge)", Scaling.between(-1, 1), "as slim's MobileNet is trained"),
    (r"(^|/)Inception(V\d|Resnet)|(^|/)cell_stem_0/", Scaling.between(-1, 1), "as slim's networks are trained"),
    # retrain.py: input_mean = input_std = 128 for the Inception of 2015.
    (r"(^|/)mixed_10/join", Scaling.normalized((128.0,), (128.0,)), "as the Inception of 2015 was trained"),
)


@dataclass(frozen=True)
class ImageInput:
    """Where a photo enters.

    Attributes:
        tensor: takes the photo, scaled as `pixels` says.
        entry: the same photo behind the graph's own scaling.
        size: side of the photo in the graph, pixels, or None.
        own: what the graph itself does to the pixels between `tensor` and `entry`.
        pixels: the range of the pixels that `tensor` expects; None: not known.
        by: how that is known; "" if it is not.
    """

    tensor: str
    entry: str
    size: int | None
    own: Scaling
    pixels: Scaling | None
    by: str


def find_image(nodes: Nodes, outputs: list[str], given: str | None, side: int | None) -> ImageInput:
    """The image input of what computes these outputs.

    Args:
        given: the tensor that the caller or the user names (`--input`).
        side: of the photos that it takes, pixels, when the caller knows it: then they enter before the graph resizes
            them.

    Raises:
        EdgeretrainError: there is no image input, or there are several; it is not square.
    """
    if given is not None:
        return _trace_preprocessing(nodes, nodes.find(given, "--input"), side)
    feeds = feed_nodes(nodes, outputs)
    images = [name for name in feeds if _is_image(nodes.by_name[name])]
    images = [name for name in images if _says_it(nodes.by_name[name])] or images
    if len(images) > 1:
        raise EdgeretrainError(
            f"{nodes.what}: has several image inputs: {', '.join(f'{name}:0' for name in images)}. Choose the one "
            "that takes the photo with --input."
        )
    if not images:
        there = ", ".join(f"{name}:0 {_shape_text(nodes.by_name[name])}" for name in feeds[:5])
        raise EdgeretrainError(
            f"{nodes.what}: has no image input, a placeholder of shape [1, size, size, 3] "
            f"({f'its inputs: {there}' if feeds else 'it has no input at all'}). Give the graph of an image network, "
            "or name the tensor that takes the photo with --input."
        )
    return _trace_preprocessing(nodes, f"{images[0]}:0", side)


def feed_nodes(nodes: Nodes, outputs: list[str]) -> list[str]:
    """Nodes where something is fed: placeholders, and decoders, whose photo we decode ourselves."""
    decoded = {f"{name}:0" for name, node in nodes.by_name.items() if node.op in _DECODERS}
    feeds = [node_of(tensor) for tensor in decoded if nodes.reached(tensor) & set(map(node_of, outputs))]
    for name in nodes.needed(outputs, decoded):
        node = nodes.by_name[name]
        if node.op == "Placeholder" or (node.op == "PlaceholderWithDefault" and _is_image(node)):
            feeds.append(name)
    return sorted(feeds)


def _is_image(node: NodeDef) -> bool:
    if node.op in _DECODERS:
        return True
    from tensorflow.core.framework import types_pb2 as types

    if node.attr["dtype"].type not in (types.DT_FLOAT, types.DT_UINT8):
        return False
    shape = node.attr["shape"].shape
    # Graphs of before 2017 may write no shape down.
    return not shape.dim or (len(shape.dim) in (3, 4) and shape.dim[-1].size in (3, -1))


def _says_it(node: NodeDef) -> bool:
    """Whether an image's node says that it is one."""
    return node.op in _DECODERS or bool(node.attr["shape"].shape.dim)


def _shape_text(node: NodeDef) -> str:
    return str([dim.size if dim.size >= 0 else None for dim in node.attr["shape"].shape.dim]).replace("None", "?")


def _trace_preprocessing(nodes: Nodes, tensor: str, side: int | None) -> ImageInput:
    """Follow a photo into the graph, over resizing and scaling, up to the network."""
    feed = nodes.by_name[node_of(tensor)]
    size = _square(nodes, feed)
    # The photo is `pixels` at `tensor`, and `own` times that at `entry`.
    pixels, by = (RAW, "the graph takes raw pixels") if _takes_raw(feed) else (None, "")
    own, entry = RAW, tensor
    while True:
        takers = [name for name in nodes.consumers.get(entry, ()) if nodes.by_name[name].op not in ("Shape", "Size")]
        if len(takers) != 1:
            break
        node = nodes.by_name[takers[0]]
        result = f"{node.name}:0"
        first = nodes.inputs(node.name)[0] == entry
        if (node.op in _RESIZES and side is not None) or (node.op == "Cast" and _to_other_floats(node)):
            break
        if first and node.op in _ANOTHER_SHAPE:
            # The photo enters behind it: one of the right type and shape, resized by us.
            if node.op in _RESIZES:
                size = _resized_to(nodes, node.name) or size
            if own != RAW and pixels is None:
                pixels, by = _infer_pixel_range(nodes, own)
            pixels, own = compose(pixels, own) if pixels is not None else None, RAW
            tensor = result
        elif not (first and node.op in SAME_VALUES):
            step = _scaling_step(nodes, node, entry)
            if step is None or min(step.factor) <= 0:
                break
            own = compose(own, step)
        entry = result
    if pixels is None:
        pixels, by = _infer_pixel_range(nodes, own)
    return ImageInput(tensor, entry, size, own, pixels, by)


def _to_other_floats(cast: NodeDef) -> bool:
    """Whether a network computes in other numbers than float32, which we feed."""
    from tensorflow.core.framework import types_pb2 as types

    return cast.attr["DstT"].type in (types.DT_HALF, types.DT_BFLOAT16, types.DT_DOUBLE)


def _takes_raw(feed: NodeDef) -> bool:
    from tensorflow.core.framework import types_pb2 as types

    return feed.op in _DECODERS or (feed.op == "Placeholder" and feed.attr["dtype"].type == types.DT_UINT8)


def _infer_pixel_range(nodes: Nodes, own: Scaling) -> tuple[Scaling | None, str]:
    """The expected range of the pixels, inferred from what the graph does to them, or else from its names."""
    if own != RAW:
        # Networks expect about -3 to 3. The scaling that leads there shows the range of the pixels.
        means = [-offset / factor for factor, offset in zip(own.factor, own.offset, strict=True)]
        if max(own.factor) < 0.05 or max(means) > 2:
            return RAW, "the graph scales raw pixels"
        if min(own.factor) >= 1:
            return Scaling.between(0, 1), "the graph scales pixels of 0 to 1"
    for pattern, pixels, by in _KNOWN:
        if any(re.search(pattern, name) for name in nodes.by_name):
            return pixels, by
    return None, ""


def _square(nodes: Nodes, feed: NodeDef) -> int | None:
    """Side of the photos that a placeholder takes."""
    dims = [dim.size for dim in feed.attr["shape"].shape.dim] if "shape" in feed.attr else []
    if feed.op not in ("Placeholder", "PlaceholderWithDefault") or len(dims) not in (3, 4):
        return None
    return _side(nodes, f"{feed.name}:0", dims[-3], dims[-2])


def _resized_to(nodes: Nodes, name: str) -> int | None:
    """Side of what a resize gives, when that is constant."""
    sizes = nodes.inputs(name)[1:2]
    if not sizes or any(nodes.by_name[name].op in ("Placeholder", "Shape") for name in nodes.needed(sizes)):
        return None
    numbers = nodes.value(sizes[0]).reshape(-1)
    return _side(nodes, f"{name}:0", int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None


def _side(nodes: Nodes, tensor: str, height: int, width: int) -> int | None:
    if height > 0 and width > 0 and height != width:
        raise EdgeretrainError(
            f"{nodes.what}: {tensor} takes photos of {width} x {height} pixels, but edgeretrain only makes "
            "square ones. Freeze the graph for a square size."
        )
    return height if height > 0 else width if width > 0 else None


def _scaling_step(nodes: Nodes, node: NodeDef, entry: str) -> Scaling | None:
    """What an operation does to a photo, when that is a scaling by constants."""
    inputs = nodes.inputs(node.name)
    if node.op not in ("Mul", "Sub", "Add", "AddV2", "BiasAdd", "RealDiv", "Div") or len(inputs) != 2:
        return None
    other = inputs[1] if inputs[0] == entry else inputs[0]
    if other == entry or (node.op in ("Sub", "RealDiv", "Div") and inputs[0] != entry):
        return None
    if not all(nodes.by_name[name].op in ("Const", "Identity", "Cast") for name in nodes.needed([other])):
        return None
    numbers = _per_channel(nodes.value(other))
    if numbers is None:
        return None
    if node.op == "Mul":
        return Scaling(numbers, (0.0,) * len(numbers))
    if node.op in ("RealDiv", "Div"):
        return Scaling(tuple(1 / number for number in numbers), (0.0,) * len(numbers)) if all(numbers) else None
    sign = -1.0 if node.op == "Sub" else 1.0
    return Scaling((1.0,) * len(numbers), tuple(sign * number for number in numbers))


def _per_channel(values: npt.NDArray[Any]) -> tuple[float, ...] | None:
    """One number, or one for each of three channels; None when it is something else."""
    if values.dtype != np.float32 or values.size not in (1, 3) or (values.size == 3 and values.shape[-1] != 3):
        return None
    numbers = tuple(float(value) for value in values.reshape(-1))
    return numbers[:1] if len(set(numbers)) == 1 else numbers


def compose(first: Scaling, then: Scaling) -> Scaling:
    """One scaling and another after it, as one."""
    count = max(len(first.factor), len(then.factor))
    a, b, c, d = (part * (count // len(part)) for part in (first.factor, first.offset, then.factor, then.offset))
    factor = tuple(inner * outer for inner, outer in zip(a, c, strict=True))
    offset = tuple(inner * outer + shift for inner, outer, shift in zip(b, c, d, strict=True))
    if len(set(factor)) == len(set(offset)) == 1:
        return Scaling(factor[:1], offset[:1])
    return Scaling(factor, offset)
