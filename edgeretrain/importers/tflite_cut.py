"""Where the photo enters the network of a .tflite file, its scale, and where the network is cut. No TensorFlow."""

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.flatbuffer import schema
from edgeretrain.tflite.graph import Graph, Operator, Tensor
from edgeretrain.tflite.metadata import METADATA_NAME, read_normalization

_USUAL = ((-1.0, 1.0), (0.0, 1.0), (0.0, 255.0))
_LARGEST = 2048
_TAIL = {
    *("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "ARG_MAX", "RESHAPE", "SQUEEZE"),
    *("QUANTIZE", "DEQUANTIZE", "ADD", "MUL", "DIV"),
}
"""What may follow the last dense layer of a classifier; arithmetic with a constant only."""


@dataclass(frozen=True)
class Entry:
    """Where the photo enters.

    Attributes:
        tensor: the first one that the source's network starts from: the file's input, or what is left of it behind
            the arithmetic that scales it.
        size: S, pixels.
        given: how raw RGB becomes the real numbers of the file's input.
        scaling: how raw RGB becomes `tensor`.
        notes: where these come from, in lines for the user.
    """

    tensor: int
    size: int
    given: Scaling
    scaling: Scaling
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Cut:
    """Where the network ends: the tensor, and why, in lines for the user."""

    tensor: int
    notes: tuple[str, ...]


def find_entry(graph: Graph, overrides: SourceOverrides) -> Entry:
    """Where the photo enters, its size and its scale.

    Args:
        overrides: size and scaling as the user says them.

    Raises:
        EdgeretrainError: there is not one image input; its size or scale is unknown, or not as the user says.
    """
    if overrides.input is not None:
        raise EdgeretrainError(
            f"{graph.path}: --input is for graphs only. The input of a .tflite file is known. Leave it out."
        )
    photo = _photo(graph)
    size = _size(graph, graph.tensors[photo], overrides.size)
    chain = _leading(graph, photo)
    given, origin = _given(graph, photo, chain, overrides.scaling)
    scaling = given
    lines = [f"Input: {graph.tensors[photo].name}, {size} pixels, values {given} ({origin})."]
    if np.any(chain.factor != 1) or np.any(chain.offset != 0):
        factor, offset = np.broadcast_arrays(np.asarray(given.factor), np.asarray(given.offset))
        factor, offset = factor * chain.factor, offset * chain.factor + chain.offset
        scaling = _scaling(np.broadcast_to(factor, 3), np.broadcast_to(offset, 3))
        lines.append(f"Its first operators scale that to {scaling}: they become the scaling of the backbone.")
    return Entry(chain.tensor, size, given, scaling, tuple(lines))


def find_cut(graph: Graph, entry: Entry, layer: str | None) -> Cut:
    """The bottleneck: the tensor called `layer`, the input of the last dense layer, or the output.

    Raises:
        EdgeretrainError: there is no such tensor; the file has several outputs; it ends in class scores that no dense
            layer makes.
    """
    computed = graph.computed_from(entry.tensor) - {entry.tensor}
    if layer is not None:
        tensor = _named(graph, layer, computed)
        return Cut(tensor, (f"Bottleneck: {graph.tensors[tensor]}, as --layer says.",))
    listed = "; ".join(str(graph.tensors[number]) for number in graph.outputs)
    if len(graph.outputs) != 1:
        raise EdgeretrainError(
            f"{graph.path}: has {len(graph.outputs)} outputs ({listed}): no classifier and no feature extractor, but "
            "perhaps a detector. Choose the tensor of the bottleneck with --layer; `edgeretrain inspect --tensors` "
            "lists them."
        )
    output = graph.outputs[0]
    if output not in computed:
        raise EdgeretrainError(f"{graph.path}: its output {listed} does not depend on the photo. Give another network.")
    end, scores = _behind_tail(graph, output, computed)
    dense = graph.producer(end)
    if dense is not None and _is_dense(graph, dense, computed):
        cut, layers = dense.inputs[0], 1
        before, between = _behind_tail(graph, cut, computed)
        while not between and (earlier := graph.producer(before)) is not None and _is_dense(graph, earlier, computed):
            # Two dense layers with nothing in between are one.
            cut, layers = earlier.inputs[0], layers + 1
            before, between = _behind_tail(graph, cut, computed)
        last = "last dense layer" if layers == 1 else f"last {layers} dense layers, which nothing separates"
        lines = [f"Bottleneck: {graph.tensors[cut]}, the input of its {last}."]
        hidden = graph.producer(before)
        if hidden is not None and hidden.kind == "FULLY_CONNECTED":
            lines.append(
                "That is itself the output of a dense layer, trained for the classes of this file. The features before "
                f"it may serve other classes better: --layer={graph.tensors[hidden.inputs[0]].name}"
            )
        return Cut(cut, tuple(lines))
    if scores:
        raise EdgeretrainError(
            f"{graph.path}: ends in {scores}, but not after a dense layer"
            f"{f' (but after {dense.kind})' if dense is not None else ''}. Choose the tensor of the bottleneck with "
            "--layer; `edgeretrain inspect --tensors` lists them."
        )
    return Cut(output, (f"Bottleneck: {listed}, its output: there is no dense layer at its end.",))


def averaged_map(graph: Graph, tensor: int) -> int | None:
    """The feature map whose average over all positions a tensor is, in any form; None: it is not such an average."""
    while (operator := graph.producer(tensor)) is not None and operator.kind in ("RESHAPE", "SQUEEZE"):
        if graph.tensors[operator.inputs[0]].shape[1:3] != (1, 1):
            return None
        tensor = operator.inputs[0]
    if operator is None or operator.kind not in ("MEAN", "AVERAGE_POOL_2D"):
        return None
    feature_map = operator.inputs[0]
    shape = graph.tensors[feature_map].shape
    if operator.kind == "MEAN":
        axes = graph.tensors[operator.inputs[1]].constant
        over = set() if axes is None else {int(axis) % 4 for axis in axes.reshape(-1)}
        return feature_map if len(shape) == 4 and over == {1, 2} else None
    options = operator.options
    plain = options.fusedActivationFunction == schema().ActivationFunctionType.NONE
    window = (int(options.filterHeight), int(options.filterWidth))
    return feature_map if plain and window == shape[1:3] and options.padding == schema().Padding.VALID else None


@dataclass(frozen=True)
class _Chain:
    """The arithmetic in front of a network: `tensor` = photo * factor + offset, `[3]` each."""

    tensor: int
    factor: npt.NDArray[np.float64]
    offset: npt.NDArray[np.float64]


def _photo(graph: Graph) -> int:
    tensors = [graph.tensors[number] for number in graph.inputs]
    listed = "; ".join(str(tensor) for tensor in tensors)
    if len(tensors) != 1:
        raise EdgeretrainError(
            f"{graph.path}: has {len(tensors)} inputs ({listed}); a backbone has one, the photo. Convert the part of "
            "the network that takes the photo."
        )
    shape = tensors[0].shape
    if len(shape) == 4 and shape[3] != 3 and shape[1] == 3:
        raise EdgeretrainError(
            f"{graph.path}: its input {listed} has the colour channels first. Convert the network with channels last, "
            "[1,S,S,3]."
        )
    if len(shape) != 4 or shape[3] != 3:
        what = "is greyscale" if len(shape) == 4 and shape[3] == 1 else "is not an RGB photo"
        raise EdgeretrainError(f"{graph.path}: its input {listed} {what}; a backbone takes [1,S,S,3].")
    plain = tensors[0].dtype in ("float32", "uint8") or (tensors[0].dtype == "int8" and tensors[0].scale)
    if not plain:
        raise EdgeretrainError(
            f"{graph.path}: its input {listed} is neither float32 nor uint8 nor quantized int8. Convert the network "
            "with a float32 input."
        )
    return graph.inputs[0]


def _size(graph: Graph, photo: Tensor, override: int | None) -> int:
    _, height, width, _ = photo.shape
    if height is None or width is None:
        side = height or width or override
        if side is None:
            raise EdgeretrainError(
                f"{graph.path}: takes photos of any size. Give --size, the side in pixels, such as --size 224."
            )
    elif height != width:
        raise EdgeretrainError(
            f"{graph.path}: its photos are {width} x {height} pixels, not square. Convert the network for square ones."
        )
    else:
        side = height
    if not 0 < side <= _LARGEST:
        raise EdgeretrainError(
            f"{graph.path}: takes photos of {side} x {side} pixels; at most {_LARGEST} are possible here. If that is a "
            "surprise, the file is damaged: copy or make it again."
        )
    if override not in (None, side):
        raise EdgeretrainError(
            f"{graph.path}: is made for photos of {side} x {side} pixels, and its shapes are fixed. Leave --size out, "
            f"or convert the network for {override} x {override}."
        )
    return side


def _given(graph: Graph, photo: int, chain: _Chain, override: Scaling | None) -> tuple[Scaling, str]:
    """How raw RGB becomes the real numbers of the file's input, and who says so."""
    tensor = graph.tensors[photo]
    if override is not None:
        return override, "as --scale says"
    if tensor.dtype != "float32" and not tensor.scale:
        return Scaling.between(0, 255), f"raw RGB: its input is {tensor.dtype}"
    normalization = read_normalization(graph.metadata(METADATA_NAME) or b"")
    if normalization is not None:
        normalized = Scaling.normalized(*normalization)
        if not tensor.scale or _fits(normalized, *tensor.range):
            # Adding 0 makes 0 of -0.
            return Scaling(normalized.factor, tuple(offset + 0.0 for offset in normalized.offset)), "from its metadata"
    if tensor.scale:
        usual = _usual(*tensor.range)
        rounded = "" if usual is None else ", {:.4g}..{:.4g}".format(*tensor.range)
        return Scaling.between(*(usual or tensor.range)), f"from its input's quantization{rounded}"
    width = float(chain.factor.max())
    if 0.9 <= width * 255 <= 10 or (width == 1 and -160 < chain.offset.min() <= chain.offset.max() < -64):
        return Scaling.between(0, 255), "raw RGB: its first operators scale that"
    if 0.9 <= width <= 10 and np.any(chain.offset != 0):
        return Scaling.between(0, 1), "which its first operators scale further"
    for quantize in graph.consumers(photo):
        if quantize.kind == "QUANTIZE" and graph.tensors[quantize.outputs[0]].scale:
            usual = _usual(*graph.tensors[quantize.outputs[0]].range)
            if usual is not None:
                return Scaling.between(*usual), "the range that its first operator quantizes"
    raise EdgeretrainError(
        f"{graph.path}: does not say which pixel values it expects. Give --scale: -1..1 (MobileNet, Inception, "
        "Teachable Machine), 0..1 (TensorFlow Hub, MediaPipe), 0..255 (EfficientNet and MobileNet V3 of Keras), or "
        "mean/std in pixel values."
    )


def _usual(low: float, high: float) -> tuple[float, float] | None:
    """The usual range that a quantized one stands for: calibration and rounding take it off a little."""
    for usual_low, usual_high in _USUAL:
        if max(abs(low - usual_low), abs(high - usual_high)) <= 0.02 * (usual_high - usual_low):
            return usual_low, usual_high
    return None


def _fits(scaling: Scaling, low: float, high: float) -> bool:
    """Whether a scaling from the metadata may be what a quantized input holds: it fills half of its range or more."""
    black, white = (scaling(np.full((1, 3), value, np.uint8)) for value in (0, 255))
    over = 0.05 * (high - low)
    inside = bool(black.min() >= low - over and white.max() <= high + over)
    return inside and float((white - black).max()) >= 0.5 * (high - low)


def _leading(graph: Graph, photo: int) -> _Chain:
    """Follow multiplications, additions and the like by constants from the photo on, one number or one per channel."""
    tensor, factor, offset = photo, np.ones(3), np.zeros(3)
    while tensor not in graph.outputs and len(consumers := graph.consumers(tensor)) == 1:
        operator = consumers[0]
        constant = _operand(graph, operator, tensor)
        if operator.kind not in ("QUANTIZE", "DEQUANTIZE", "CAST") and constant is None:
            break
        if graph.tensors[operator.outputs[0]].dtype not in ("float32", "uint8", "int8"):
            break
        if constant is not None:
            if operator.kind in ("MUL", "DIV"):
                with np.errstate(divide="ignore"):
                    by = constant if operator.kind == "MUL" else 1 / constant
                if not np.all((by > 0) & np.isfinite(by)):
                    break
                factor, offset = factor * by, offset * by
            else:
                offset = offset + (constant if operator.kind == "ADD" else -constant)
        tensor = operator.outputs[0]
    return _Chain(tensor, factor, offset)


def _operand(graph: Graph, operator: Operator, tensor: int) -> npt.NDArray[np.float64] | None:
    """The constant, float64 `[1]` or `[3]`, that an arithmetic operator combines a tensor with."""
    if operator.kind not in ("MUL", "ADD", "SUB", "DIV") or len(operator.inputs) != 2:
        return None
    if getattr(operator.options, "fusedActivationFunction", 0) != schema().ActivationFunctionType.NONE:
        return None
    position = operator.inputs.index(tensor)
    other = operator.inputs[1 - position]
    constant = graph.tensors[other].constant if other >= 0 else None
    if constant is None or (position == 1 and operator.kind in ("SUB", "DIV")):
        return None
    if constant.size not in (1, 3) or (constant.size == 3 and constant.shape[-1] != 3):
        return None
    return constant.astype(np.float64).reshape(-1)


def _scaling(factor: npt.NDArray[Any], offset: npt.NDArray[Any]) -> Scaling:
    alike = np.all(factor == factor[0]) and np.all(offset == offset[0])
    count = 1 if alike else 3
    return Scaling(tuple(factor[:count].tolist()), tuple(offset[:count].tolist()))


def _behind_tail(graph: Graph, tensor: int, computed: set[int]) -> tuple[int, str]:
    """From an output back to the layer that it is made of; and which operator made class scores on the way, or ""."""
    scores = ""
    while (operator := graph.producer(tensor)) is not None and operator.kind in _TAIL and not operator.custom:
        # A shape may be computed of the photo's too.
        inputs = operator.inputs[:1] if operator.kind in ("RESHAPE", "SQUEEZE") else operator.inputs
        sources = [number for number in inputs if number in computed]
        if len(sources) != 1 or (operator.kind in ("ADD", "MUL", "DIV") and operator.inputs[0] != sources[0]):
            break
        if operator.kind in ("SOFTMAX", "LOG_SOFTMAX", "LOGISTIC", "ARG_MAX"):
            scores = operator.kind
        tensor = sources[0]
    return tensor, scores


def _is_dense(graph: Graph, operator: Operator, computed: set[int]) -> bool:
    """A dense layer without an activation: FULLY_CONNECTED, or a 1 x 1 convolution of a 1 x 1 feature map."""
    if operator.kind not in ("FULLY_CONNECTED", "CONV_2D") or operator.inputs[0] not in computed:
        return False
    if getattr(operator.options, "fusedActivationFunction", 0) != schema().ActivationFunctionType.NONE:
        return False
    weights, sides = graph.tensors[operator.inputs[1]].shape, graph.tensors[operator.inputs[0]].shape[1:3]
    return operator.kind == "FULLY_CONNECTED" or (tuple(weights[1:3]) == (1, 1) and tuple(sides) == (1, 1))


def _named(graph: Graph, layer: str, computed: set[int]) -> int:
    """The computed tensor of that name, or with that name among the several that a converter joined with `;`."""
    names = {number: graph.tensors[number].name for number in sorted(computed)}
    matches = [number for number, name in names.items() if name == layer]
    matches = matches or [number for number, name in names.items() if layer in name.split(";")]
    if len(matches) == 1:
        return matches[0]
    if matches:
        listed = "; ".join(str(graph.tensors[number]) for number in matches)
        raise EdgeretrainError(f"{graph.path}: --layer {layer} may be any of {listed}. Give the whole name of one.")
    parts = {part: None for name in names.values() for part in (name, *name.split(";")) if part}
    near = difflib.get_close_matches(layer, parts, n=3, cutoff=0.5)
    hint = f"The nearest are {', '.join(near)}." if near else "`edgeretrain inspect --tensors` lists them."
    raise EdgeretrainError(f"{graph.path}: computes no tensor called {layer!r} from the photo. {hint}")
