"""A part of a network as a file of its own."""

from collections.abc import Sequence

import numpy as np

from edgeretrain.tflite.flatbuffer import numbers
from edgeretrain.tflite.model import Model


def extract(model: Model, operators: Sequence[int], inputs: Sequence[int], output: int) -> Model:
    """Some operators of a model, with the tensors and buffers that they need: no signatures, no metadata.

    Args:
        model: it is not changed.
        operators: their numbers, in the order they run.
        inputs: numbers of the tensors that are given.
        output: number of the tensor that is asked for; it may lie in the middle of the model.
    """
    part = model.copy()
    part.graph.operators = [part.operators[number] for number in operators]
    ends = [(operator, end) for operator in part.operators for end in ("inputs", "outputs", "intermediates")]
    used = {number for operator, end in ends for number in numbers(getattr(operator, end))}
    kept = sorted({*used, *inputs, output} - {-1})
    place = {-1: -1, **{old: new for new, old in enumerate(kept)}}
    for operator, end in ends:
        if getattr(operator, end) is not None:
            setattr(operator, end, np.asarray([place[old] for old in numbers(getattr(operator, end))], np.int32))
    part.graph.tensors = [part.tensors[old] for old in kept]
    part.graph.inputs = np.asarray([place[old] for old in inputs], np.int32)
    part.graph.outputs = np.asarray([place[output]], np.int32)
    part.tree.subgraphs = [part.graph]
    part.tree.metadata, part.tree.metadataBuffer, part.tree.signatureDefs = None, None, None
    part.prune()
    return part
