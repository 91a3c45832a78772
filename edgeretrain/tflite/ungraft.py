"""Cut a finished classifier where its head was appended: the backbone again, and the head alone.

The inverse of `graft`: the backbone's tensors, buffers and operators are the ones that the file was made from, so it
gives the same bottlenecks to the bit, and a head appended to it gives the file that the first backbone would have
given. The head alone is the arithmetic of the finished file from the bottleneck on, constant for constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.flatbuffer import damage_told, read_model, schema, write_model
from edgeretrain.tflite.metadata import METADATA_NAME
from edgeretrain.tflite.runtime import Runtime, dequantized, load_runtime, start_interpreter

_WEIGHTS = b"head/weights"  # as graft names them
_PROBABILITIES = b"probabilities"


@dataclass(frozen=True)
class _Seam:
    """Where a head begins: its first operator and tensor, and the tensor that holds the bottleneck."""

    operator: int
    tensor: int
    bottleneck: int


def cut_backbone(model: Path) -> bytes:
    """The backbone inside a classifier, as a .tflite file.

    Raises:
        EdgeretrainError: the file cannot be read, is damaged, or its head is not one that `graft` appended.
    """
    tree = read_model(model)
    with damage_told(model):
        seam = _find_seam(tree, model)
        subgraph = tree.subgraphs[0]
        output = int(subgraph.outputs[0])
        metadata = [entry for entry in tree.metadata or [] if entry.name == METADATA_NAME.encode()]
        ours = {tensor.buffer for tensor in subgraph.tensors[seam.tensor :]} | {entry.buffer for entry in metadata}
        kept = len(tree.buffers) - len(ours - {0})
        if ours - {0} != set(range(kept, len(tree.buffers))):
            raise _not_ours(model)
        del tree.buffers[kept:], subgraph.tensors[seam.tensor :], subgraph.operators[seam.operator :]
        tree.metadata = [entry for entry in tree.metadata or [] if entry not in metadata]
        used = {operator.opcodeIndex for graph in tree.subgraphs for operator in graph.operators}
        del tree.operatorCodes[max(used, default=-1) + 1 :]
        subgraph.outputs = np.asarray([seam.bottleneck], np.int32)
        for signature in tree.signatureDefs or []:
            for entry in signature.outputs:
                if entry.tensorIndex == output:
                    entry.tensorIndex, entry.name = seam.bottleneck, "bottleneck"
        return write_model(tree)


class HeadAlone:
    """The head of a classifier file, run by itself on bottlenecks.

    Attributes:
        length: d, of a bottleneck.
        outputs: k, classes.
    """

    def __init__(self, model: Path, *, runtime: Runtime | None = None) -> None:
        """Cut the head off a model file and load it.

        Raises:
            EdgeretrainError: as `cut_backbone`; or the runtime cannot load it.
        """
        self._interpreter = start_interpreter(
            runtime or load_runtime(), str(model), model_content=_cut_head(model), num_threads=1
        )
        self._input, self._output = self._interpreter.get_input_details()[0], self._interpreter.get_output_details()[0]
        self.length, self.outputs = int(np.prod(self._input["shape"])), int(np.prod(self._output["shape"]))

    def __call__(self, bottlenecks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Bottlenecks float32 `[n, d]` of this model's own backbone -> probabilities float32 `[n, k]`.

        Each as the finished file gives them for the photo itself: one photo at a time, through the same kernels.
        """
        probabilities = np.empty((len(bottlenecks), self.outputs), np.float32)
        scale, zero_point = self._input["quantization"]
        for row, bottleneck in enumerate(bottlenecks):
            if scale:  # the integers that the backbone had put out
                bottleneck = np.clip(np.rint(bottleneck / np.float32(scale)) + zero_point, -128, 127)
            given = bottleneck.astype(self._input["dtype"]).reshape(self._input["shape"])
            self._interpreter.set_tensor(self._input["index"], given)
            self._interpreter.invoke()
            raw = self._interpreter.get_tensor(self._output["index"]).reshape(-1)
            probabilities[row] = dequantized(raw, self._output["quantization"])
        return probabilities


def _cut_head(model: Path) -> bytes:
    tree = read_model(model)
    with damage_told(model):
        seam = _find_seam(tree, model)
        subgraph = tree.subgraphs[0]
        kept = [seam.bottleneck, *range(seam.tensor, len(subgraph.tensors))]
        position = {old: new for new, old in enumerate(kept)}
        operators = subgraph.operators[seam.operator :]
        for operator in operators:
            operator.inputs, operator.outputs = _moved(operator.inputs, position), _moved(operator.outputs, position)
        subgraph.tensors = [subgraph.tensors[index] for index in kept]
        subgraph.operators = operators
        subgraph.inputs, subgraph.outputs = np.asarray([0], np.int32), _moved(subgraph.outputs, position)
        buffers = [tree.buffers[0]]
        for tensor in subgraph.tensors[1:]:
            if tensor.buffer:
                buffers.append(tree.buffers[tensor.buffer])
                tensor.buffer = len(buffers) - 1
        subgraph.tensors[0].buffer = 0
        tree.buffers, tree.subgraphs = buffers, [subgraph]
        tree.metadata, tree.metadataBuffer, tree.signatureDefs = None, None, None
        return write_model(tree)


def _moved(indices: Sequence[int], position: dict[int, int]) -> npt.NDArray[np.int32]:
    return np.asarray([position[int(index)] for index in indices], np.int32)


def _find_seam(tree: Any, model: Path) -> _Seam:
    kinds = schema().BuiltinOperator
    subgraph = tree.subgraphs[0]
    tensors, operators = subgraph.tensors, subgraph.operators

    def kind(index: int) -> int:
        return int(tree.operatorCodes[operators[index].opcodeIndex].builtinCode)

    # FULLY_CONNECTED, SOFTMAX, and for int8 a QUANTIZE: the last of its kind within three operators of the end.
    near = range(len(operators) - 1, max(-1, len(operators) - 4), -1)
    first = next((index for index in near if kind(index) == kinds.FULLY_CONNECTED), None)
    if first is None or len(subgraph.outputs) != 1 or tensors[subgraph.outputs[0]].name != _PROBABILITIES:
        raise _not_ours(model)
    bottleneck, weights = (int(index) for index in operators[first].inputs[:2])
    if tensors[weights].name != _WEIGHTS:
        raise _not_ours(model)
    if first and list(operators[first - 1].outputs) == [weights]:  # float16 weights are widened first
        first -= 1
    ours = {int(i) for one in operators[first:] for i in (*one.inputs, *one.outputs)} - {bottleneck}
    start = len(tensors) - len(ours)
    if ours != set(range(start, len(tensors))):
        raise _not_ours(model)
    return _Seam(first, start, bottleneck)


def _not_ours(model: Path) -> EdgeretrainError:
    return EdgeretrainError(
        f"{model}: has no head that edgeretrain appended, so the backbone cannot be taken out of it. Use a model "
        "written by `edgeretrain retrain`."
    )
