"""Which operations a graph may hold: those that compute, none that reaches outside the network.

A TensorFlow graph is a program. Most of its operations compute, but some run Python, read and write files, or talk to
other machines, and a library that was loaded may bring more. A network needs none of them.
"""

import re
from collections.abc import Iterable

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.tensorflow_types import NodeDef

# TensorFlow marks operations with side effects as stateful. These, by their beginnings, stay inside the network:
# variables, calls, conditions and loops, random numbers, tables in memory, checks and messages.
_INSIDE = (
    "AddN",
    "Assert",
    "Assign",
    "Case",
    "DestroyResourceOp",
    "DisableCopyOnRead",
    "HashTable",
    "If",
    "IsVariableInitialized",
    "LookupTable",
    "Multinomial",
    "MutableHashTable",
    "ParameterizedTruncatedNormal",
    "Print",
    "Random",
    "ReadVariable",
    "Resource",
    "Rng",
    "Stateful",
    "TemporaryVariable",
    "TensorList",
    "TruncatedNormal",
    "VarHandleOp",
    "VarIsInitializedOp",
    "Variable",
    "While",
)

# Reaching outside by their names, whether marked or not. PrintV2 can append to a file, Copy sends tensors to a debugger
# at any address, and ImmutableConst and GenerateVocabRemapping, not marked, read files.
_OUTSIDE = re.compile(
    "^(Copy|CopyHost|GenerateVocabRemapping|ImmutableConst|MlirPassthroughOp)$"
    "|^(Debug|PrintV2|PyFunc|TPU|Tpu|Xla)|Dataset|File|Iterator|Proto|Queue|Reader|Snapshot"
)

# What only a SavedModel's saver needs, which we never run.
_SAVER = (
    *("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename"),
    *("Restore", "RestoreSlice", "Save", "SaveSlices", "ShardedFilespec"),
)


def check_operations(nodes: Iterable[NodeDef], what: str, *, saver: bool = False) -> None:
    """Check that a graph only computes.

    Args:
        nodes: its `NodeDef`s, those of its functions too.
        what: what error messages call the graph.
        saver: whether the graph may hold a saver's operations.

    Raises:
        EdgeretrainError: it holds an operation that TensorFlow does not know, or one that reaches outside the network.
    """
    from tensorflow.python.framework import op_def_registry

    for node in nodes:
        definition = op_def_registry.get(node.op)
        if definition is None:
            raise EdgeretrainError(
                f"{what}: holds the operation {node.op} ({node.name}), which TensorFlow does not have. It needs "
                "custom code, which edgeretrain does not run. Give a network of TensorFlow's own operations."
            )
        if saver and node.op in _SAVER:
            continue
        if _OUTSIDE.search(node.op) or (definition.is_stateful and not node.op.startswith(_INSIDE)):
            raise EdgeretrainError(
                f"{what}: holds the operation {node.op} ({node.name}), which reaches outside the network: such "
                "operations run code, read or write files, or connect to other machines. A network that holds one is "
                "not loaded. Export it again without it."
            )
