"""Cut a finished classifier where its head was appended: the backbone again, and the head alone.

The inverse of `graft`: the backbone's tensors, buffers and operators are the ones that the file was made from, so it
gives the same bottlenecks to the bit, and a head appended to it gives the file that the first backbone would have
given. The head alone is the arithmetic of the finished file from the bottleneck on, constant for constant.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.extract import extract
from edgeretrain.tflite.flatbuffer import as_damaged_file, numbers, text
from edgeretrain.tflite.metadata import METADATA_NAME
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.runtime import Runner, Runtime

_WEIGHTS = "head/weights"  # as graft names them
_PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class _HeadBoundary:
    """Where a head begins: its first operator and tensor, and the tensor that holds the bottleneck."""

    operator: int
    tensor: int
    bottleneck: int


def cut_backbone(path: Path) -> bytes:
    """The backbone inside a classifier, as a .tflite file.

    Raises:
        EdgeretrainError: the file cannot be read, is damaged, or its head is not one that `graft` appended.
    """
    model = Model.read(path)
    with as_damaged_file(path):
        boundary = _find_boundary(model, path)
        tree = model.tree
        metadata = [entry for entry in tree.metadata or () if text(entry.name) == METADATA_NAME]
        added = {holder.buffer for holder in (*model.tensors[boundary.tensor :], *metadata)} - {0}
        kept = len(tree.buffers) - len(added)
        if added != set(range(kept, len(tree.buffers))):
            raise _no_head_of_ours(path)
        model.set_output(boundary.bottleneck, "bottleneck")
        model.drop_metadata(METADATA_NAME)
        # Not `prune`, which would also take what the backbone itself has and does not use.
        del tree.buffers[kept:], model.tensors[boundary.tensor :], model.operators[boundary.operator :]
        used = {operator.opcodeIndex for graph in tree.subgraphs for operator in graph.operators}
        del tree.operatorCodes[max(used, default=-1) + 1 :]
        return model.write()


class HeadModel:
    """The head of a classifier file, run by itself on bottlenecks.

    Attributes:
        length: d, of a bottleneck.
        outputs: k, classes.
    """

    def __init__(self, path: Path, *, runtime: Runtime | None = None) -> None:
        """Cut the head off a model file and load it.

        Raises:
            EdgeretrainError: as `cut_backbone`; or the runtime cannot load it.
        """
        self._runner = Runner(_cut_head(path), name=str(path), runtime=runtime)
        self._input = self._runner.inputs[0]
        self.length, self.outputs = self._input.size, self._runner.outputs[0].size

    def __call__(self, bottlenecks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Bottlenecks float32 `[n, d]` of this model's own backbone -> probabilities float32 `[n, k]`.

        Each as the finished file gives them for the photo itself: one photo at a time, through the same kernels.
        """
        probabilities = np.empty((len(bottlenecks), self.outputs), np.float32)
        for row, bottleneck in enumerate(bottlenecks):
            # In an int8 file: the integers that the backbone had put out.
            given = self._input.quantization.nearest(bottleneck, self._input.dtype)
            probabilities[row] = self._runner.run(given.reshape(self._input.shape)).reshape(-1)
        return probabilities


def _cut_head(path: Path) -> bytes:
    model = Model.read(path)
    with as_damaged_file(path):
        boundary = _find_boundary(model, path)
        operators = range(boundary.operator, len(model.operators))
        return extract(model, operators, [boundary.bottleneck], model.outputs[0]).write()


def _find_boundary(model: Model, path: Path) -> _HeadBoundary:
    tensors, operators = model.tensors, model.operators
    # FULLY_CONNECTED, SOFTMAX, and for int8 a QUANTIZE: the last of its kind within three operators of the end.
    near = range(len(operators) - 1, max(-1, len(operators) - 4), -1)
    first = next((number for number in near if model.kind(operators[number]) == "FULLY_CONNECTED"), None)
    if first is None or len(model.outputs) != 1 or text(tensors[model.outputs[0]].name) != _PROBABILITIES:
        raise _no_head_of_ours(path)
    bottleneck, weights = numbers(operators[first].inputs)[:2]
    if text(tensors[weights].name) != _WEIGHTS:
        raise _no_head_of_ours(path)
    if first and numbers(operators[first - 1].outputs) == (weights,):  # float16 weights are widened first
        first -= 1
    ends = (end for operator in operators[first:] for end in (operator.inputs, operator.outputs))
    ours = {number for end in ends for number in numbers(end)} - {bottleneck}
    start = len(tensors) - len(ours)
    if ours != set(range(start, len(tensors))):
        raise _no_head_of_ours(path)
    return _HeadBoundary(first, start, bottleneck)


def _no_head_of_ours(path: Path) -> EdgeretrainError:
    return EdgeretrainError(
        f"{path}: has no head that edgeretrain appended, so the backbone cannot be taken out of it. Use a model "
        "written by `edgeretrain retrain`."
    )
