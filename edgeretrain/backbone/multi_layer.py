"""A backbone whose bottleneck also carries the averages of inner layers.

The last layer was trained to tell ImageNet's classes apart; what other photos differ in is often still seen further in
(Head2Toe, arXiv:2201.03529). So the file gets operators at its end: a MEAN over all places for each of some inner
feature maps, and a CONCATENATION behind the backbone's own output. All else in the file stays as it is, and to the
rest of the program the variant is a backbone like any other. benchmarks/multi_layer.md says which layers, and why.

The layers follow in order from the last to the first, so that the bottleneck of a variant with fewer of them is the
beginning of one with more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone.artifact import Backbone, write_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic
from edgeretrain.tflite.flatbuffer import as_damaged_file, numbers, schema, text
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quantized import Quantization

STAGES = 2
"""Layers are taken from so many stages, counted from the end; a stage is the layers whose maps have one size."""

_MOST_OF_A_STAGE = 8
"""Layers of one stage: MobileNet V2 has 4 and 7 in its last two, V1 2 and 6. Of more, some are taken, evenly spread."""
_ACTIVATIONS = {"RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "LEAKY_RELU", "PRELU", "ELU", "GELU", "HARD_SWISH"}


@dataclass(frozen=True)
class InnerLayer:
    """A feature map inside a network.

    Attributes:
        tensor: its number.
        name: as the file has it; the last part where a converter joined several with `;`.
        side: height and width.
        width: its channels.
        stage: 0 for the last one, counted towards the photo.
    """

    tensor: int
    name: str
    side: tuple[int, int]
    width: int
    stage: int


@dataclass(frozen=True)
class Variant:
    """A backbone with the averages of inner layers.

    Attributes:
        backbone: the file, and its card: `inner_layers` names them.
        lengths: of the bottlenecks with the layers of no stage, of the last one, of the last two, and so on: each is
            the beginning of the next, and the last is the whole.
        exact: whether the first `lengths[0]` numbers are those of the plain backbone, to the bit. They are not where
            an int8 file's layers need another scale.
        widths: channels of each layer, in order.
    """

    backbone: Backbone
    lengths: tuple[int, ...]
    widths: tuple[int, ...]
    exact: bool


class NoInnerLayers(EdgeretrainError):
    """A backbone without a layer to take."""


def inner_layers(model: Model, stages: int = STAGES) -> list[InnerLayer]:
    """The layers whose averages are worth having, in the order in which they are appended: the last first.

    The outputs of depthwise convolutions of the last stages, or, in a network without any, of convolutions; after
    their activation. Not one whose average is the bottleneck already.

    Returns:
        [] for a network without such a layer in the bottleneck's own type.
    """
    computed = _needed(model)
    found = _maps(model, computed, "DEPTHWISE_CONV_2D") or _maps(model, computed, "CONV_2D")
    sides = list(dict.fromkeys(_shape(model, tensor)[1:3] for tensor in found))
    layers = []
    for stage, side in enumerate(sides[:stages]):
        own = [tensor for tensor in found if _shape(model, tensor)[1:3] == side]
        if len(own) > _MOST_OF_A_STAGE:
            own = [own[place] for place in np.linspace(0, len(own) - 1, _MOST_OF_A_STAGE).round().astype(int)]
        for tensor in own:
            name = text(model.tensors[tensor].name).rsplit(";", 1)[-1]
            layers.append(InnerLayer(tensor, name, (side[0], side[1]), _shape(model, tensor)[3], stage))
    return layers


def make_variant(backbone: Backbone, folder: Path, stages: int = STAGES) -> Variant:
    """Write a backbone's variant, with its card, to a folder.

    The same backbone gives the same bytes.

    Args:
        stages: how many of the last stages to take layers from, at most.

    Raises:
        NoInnerLayers: the backbone has no layer to take.
        EdgeretrainError: it is no file with one input and one output; the folder cannot be written.
    """
    model = Model.read(backbone.path)
    with as_damaged_file(backbone.path):
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise EdgeretrainError(
                f"{backbone.path}: a backbone has one input and one output; this model has {len(model.inputs)} and "
                f"{len(model.outputs)}. Give a .tflite feature extractor."
            )
        layers = inner_layers(model, stages)
        if not layers:
            raise NoInnerLayers(
                f"{backbone.path}: has no inner layer for --bottleneck multi or auto: no convolution before its last "
                f"feature map gives {model.dtype(model.outputs[0])} maps of more than one place. Use --bottleneck "
                "features."
            )
        length = int(np.prod(_shape(model, model.outputs[0])))
        exact = _append(model, layers)
        data = model.write()
    card = {**backbone.card, "inner_layers": [layer.name for layer in layers]}
    if backbone.card:
        made = write_backbone(folder, data, card)
    else:  # a file of the user's own: what is not known of it stays unknown
        path = folder / f"{backbone.precision}.tflite"
        write_atomic(path, data, parents=True)
        made = Backbone(path, backbone.preset, backbone.precision, backbone.size, card)
    lengths = [length]
    for stage in range(max(layer.stage for layer in layers) + 1):
        lengths.append(lengths[-1] + sum(layer.width for layer in layers if layer.stage == stage))
    return Variant(made, tuple(lengths), tuple(layer.width for layer in layers), exact)


def _append(model: Model, layers: Sequence[InnerLayer]) -> bool:
    """Add the operators; whether the backbone's own output is passed on as it is."""
    output = model.outputs[0]
    own = model.quantization(output) if model.dtype(output) == "int8" else None
    common = None if own is None else _common(model, own, [layer.tensor for layer in layers])
    dtype = np.float32 if own is None else np.int8
    # 2: the first version of int8.
    version = 1 if own is None else 2
    length = int(np.prod(_shape(model, output)))
    total = length + sum(layer.width for layer in layers)
    first = output
    if len(_shape(model, output)) != 2:
        shape = model.add_constant("multi_layer/shape", np.array([1, length], np.int32))
        first = model.add_tensor("multi_layer/vector", (1, length), dtype, own)
        options = schema().ReshapeOptionsT()
        options.newShape = np.array([1, length], np.int32)
        model.add_operator("RESHAPE", [output, shape], first, options)
    if common != own:
        rounded = model.add_tensor("multi_layer/own", (1, length), dtype, common)
        model.add_operator("QUANTIZE", [first], rounded, schema().QuantizeOptionsT(), version=2)
        first = rounded
    parts = [first]
    axes = model.add_constant("multi_layer/axes", np.array([1, 2], np.int32))
    for number, layer in enumerate(layers):
        average = model.add_tensor(f"multi_layer/average_{number}", (1, layer.width), dtype, common)
        model.add_operator("MEAN", [layer.tensor, axes], average, _reducer(), version=version)
        parts.append(average)
    bottleneck = model.add_tensor("multi_layer/bottleneck", (1, total), dtype, common)
    options = schema().ConcatenationOptionsT()
    options.axis = 1
    model.add_operator("CONCATENATION", parts, bottleneck, options, version=version)
    model.set_output(bottleneck, "bottleneck")
    return common == own


def _common(model: Model, own: Quantization, layers: Sequence[int]) -> Quantization:
    """The one scale that CONCATENATION wants: the bottleneck's own, where all layers' numbers fit into its range.

    An average is well inside the range of its map: a range that reaches over three quarters of it is enough.
    """
    ranges = [model.quantization(tensor) for tensor in layers]
    lows = [(-128 - each.zero_point) * each.scale for each in ranges]
    highs = [(127 - each.zero_point) * each.scale for each in ranges]
    low, high = (-128 - own.zero_point) * own.scale, (127 - own.zero_point) * own.scale
    if low <= 0.75 * min(lows) and 0.75 * max(highs) <= high:
        return own
    low, high = min(low, *lows), max(high, *highs)
    scale = (high - low) / 255
    return Quantization(scale, round(-128 - low / scale))


def _maps(model: Model, computed: set[int], kind: str) -> list[int]:
    """Feature maps of more than one place that operators of this kind give, the last first."""
    consumers = model.consumers()
    dtype = model.dtype(model.outputs[0])
    found = []
    for operator in reversed(model.operators):
        if model.kind(operator) != kind:
            continue
        tensor = numbers(operator.outputs)[0]
        readers = [reader for reader, _ in consumers.get(tensor, ())]
        if len(readers) == 1 and model.kind(readers[0]) in _ACTIVATIONS:
            tensor = numbers(readers[0].outputs)[0]
            readers = [reader for reader, _ in consumers.get(tensor, ())]
        shape = _shape(model, tensor)
        wanted = tensor in computed and model.dtype(tensor) == dtype and len(shape) == 4 and shape[1] * shape[2] > 1
        if wanted and not any(_averages(model, reader) for reader in readers):
            found.append(tensor)
    return found


def _averages(model: Model, operator: Any) -> bool:
    """Whether an operator makes one place of a map."""
    shape = _shape(model, numbers(operator.outputs)[0])
    return model.kind(operator) in ("MEAN", "AVERAGE_POOL_2D") and (len(shape) < 4 or shape[1:3] == (1, 1))


def _needed(model: Model) -> set[int]:
    """The tensors that the output is computed of."""
    needed = set(model.outputs)
    for operator in reversed(model.operators):
        if needed.intersection(numbers(operator.outputs)):
            needed.update(numbers(operator.inputs))
    return needed


def _shape(model: Model, tensor: int) -> tuple[int, ...]:
    return numbers(model.tensors[tensor].shape)


def _reducer() -> Any:
    options = schema().ReducerOptionsT()
    options.keepDims = False
    return options
