"""Add the scaling of raw RGB to the start of a network that takes scaled photos."""

from collections.abc import Sequence

import numpy as np

from edgeretrain.data.scaling import Scaling
from edgeretrain.tflite.flatbuffer import schema
from edgeretrain.tflite.model import Model


def with_scaling(core: Model, scaling: Scaling) -> Model:
    """The network with raw RGB, `float32 [1,S,S,3]`, 0 to 255, as its input: photo * factor - (-offset).

    Args:
        core: the network of scaled photos; it is not changed.
        scaling: of the pixels. A factor of 1 or an offset of 0 gets no operator.

    Returns:
        A model that shares buffers with the core.
    """
    model = core.copy()
    steps: list[tuple[str, Sequence[float]]] = []
    if any(factor != 1 for factor in scaling.factor):
        steps.append(("Mul", scaling.factor))
    if any(offset != 0 for offset in scaling.offset):
        steps.append(("Sub", [-offset for offset in scaling.offset]))
    if not steps:
        return model
    (scaled,) = model.inputs
    given = model.add_copy(scaled)
    model.set_input(given)
    model.tensors[scaled].name = "scaled"
    for place, (kind, numbers) in enumerate(steps):
        # One number is a scalar, three are the channels, the last axis: both broadcast.
        values = np.asarray(numbers[0] if len(numbers) == 1 else numbers, np.float32)
        constant = model.add_constant(f"scaled/{kind}", values)
        last = place == len(steps) - 1
        result = scaled if last else model.add_copy(scaled, f"scaled/{place + 1}")
        options = getattr(schema(), f"{kind}OptionsT")()
        model.add_operator(kind.upper(), [given, constant], result, options, place=place)
        given = result
    return model
