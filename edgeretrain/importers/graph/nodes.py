"""A GraphDef as linked nodes; parts of it as separate GraphDefs."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.graph.arithmetic import FAKE_QUANTIZATION, check_arithmetic
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import GraphDef, NodeDef


def node_of(tensor: str) -> str:
    """The node that a tensor comes from: `pool:0` -> `pool`."""
    return tensor.rpartition(":")[0]


def tensor_of(reference: str) -> str:
    """A tensor as one name: `pool` -> `pool:0`."""
    name, colon, index = reference.rpartition(":")
    return f"{name}:{int(index)}" if colon and index.isdigit() else f"{reference}:0"


class Nodes:
    """The nodes of a GraphDef.

    Attributes:
        what: name of the file, for messages.
        by_name: name -> `NodeDef`, in the file's order.
        consumers: tensor -> names of the nodes that take it, in the file's order.
    """

    def __init__(self, graph_def: GraphDef, what: str) -> None:
        self.what = what
        self.by_name = {node.name: node for node in graph_def.node}
        self.consumers: dict[str, list[str]] = {}
        for node in graph_def.node:
            for tensor in dict.fromkeys(self.inputs(node.name)):
                self.consumers.setdefault(tensor, []).append(node.name)
        self._taken: dict[str, list[str]] = {}
        for tensor in self.consumers:
            self._taken.setdefault(node_of(tensor), []).append(tensor)
        self._versions = graph_def.versions

    def inputs(self, name: str) -> list[str]:
        """The tensors that a node takes, without control inputs: arithmetic does not need them."""
        return [tensor_of(reference) for reference in self.by_name[name].input if not reference.startswith("^")]

    def find(self, name: str, option: str) -> str:
        """A tensor that the user names, with or without `:0`.

        Raises:
            EdgeretrainError: there is none; the message suggests the nearest names.
        """
        tensor = tensor_of(name.strip().removeprefix("^"))
        if node_of(tensor) in self.by_name:
            return tensor
        names = list(self.by_name)
        ends = [known for known in names if known.endswith("/" + node_of(tensor))]
        near = [*ends, *difflib.get_close_matches(node_of(tensor), names, 3, 0.5)][:3]
        hint = f"Did you mean {' or '.join(near)}?" if near else f"The last tensors are {', '.join(names[-3:])}."
        raise EdgeretrainError(f"{self.what}: has no tensor {name!r} ({option}). {hint}")

    def needed(self, tensors: Iterable[str], given: Collection[str] = ()) -> list[str]:
        """Names of the nodes that these tensors are computed from, each after its inputs.

        Args:
            given: tensors that need not be computed.

        Raises:
            EdgeretrainError: a node is missing, or the graph runs in a circle.
        """
        order: dict[str, None] = {}
        open_nodes: set[str] = set()
        stack = [node_of(tensor) for tensor in tensors if tensor not in given]
        while stack:
            name = stack[-1]
            if name in order:
                stack.pop()
                continue
            if name not in self.by_name:
                raise EdgeretrainError(
                    f"{self.what}: is cut off or damaged (its node {name} is missing). Copy or make it again."
                )
            sources = [node_of(tensor) for tensor in self.inputs(name) if tensor not in given]
            waiting = [source for source in sources if source not in order]
            if not waiting:
                order[stack.pop()] = None
                open_nodes.discard(name)
            elif name in open_nodes:
                raise EdgeretrainError(f"{self.what}: has a loop at {name}. Give a graph made for inference.")
            else:
                open_nodes.add(name)
                stack.extend(waiting)
        return list(order)

    def reached(self, tensor: str) -> set[str]:
        """Names of the nodes that are computed from a tensor."""
        reached: set[str] = set()
        stack = [tensor]
        while stack:
            taken = stack.pop()
            # A node may have several outputs: what is computed from it may take any of them.
            for consumer in self.consumers.get(taken, ()):
                if consumer not in reached:
                    reached.add(consumer)
                    stack.extend(self._taken.get(consumer, ()))
        return reached

    def taken(self, name: str) -> list[str]:
        """The tensors of a node that other nodes take."""
        return self._taken.get(name, [])

    def part(self, tensors: Collection[str], given: Collection[str] = (), *, rounded: bool = False) -> GraphDef:
        """The GraphDef of what these tensors need, made ready for inference.

        Args:
            rounded: keep fake quantization. Without, int8 is left to our own calibration, and floats stay floats.

        Raises:
            EdgeretrainError: see `needed` and `check_arithmetic`.
        """
        import tensorflow as tf

        nodes = [self.by_name[name] for name in self.needed(tensors, given)]
        check_arithmetic(nodes, self.what)
        part = tf.compat.v1.GraphDef()
        part.versions.CopyFrom(self._versions)
        for node in nodes:
            _add(part, node, rounded)
        return part

    def value(self, tensor: str) -> npt.NDArray[Any]:
        """The value of a tensor that depends on no input."""
        import tensorflow as tf

        try:
            with quiet(), tf.Graph().as_default():
                (result,) = tf.graph_util.import_graph_def(self.part([tensor]), return_elements=[tensor], name="")
                with tf.compat.v1.Session() as session:
                    return np.asarray(session.run(result))
        except (ValueError, TypeError, tf.errors.OpError) as error:
            raise self.refused(f"cannot compute {tensor}", error) from None

    def refused(self, what: str, error: Exception, advice: str = "Copy or make it again.") -> EdgeretrainError:
        """The error for an exception of TensorFlow's, with its first line."""
        reason = str(getattr(error, "message", error)).strip().split("\n")[0][:200]
        return EdgeretrainError(f"{self.what}: TensorFlow {what}. {advice} (TensorFlow: {reason})")


def _add(part: GraphDef, node: NodeDef, rounded: bool) -> None:
    """Add a node; what only training needed, or what TensorFlow no longer has, becomes what it means at inference."""
    from tensorflow.core.framework import types_pb2 as types

    new = part.node.add()
    new.CopyFrom(node)
    del new.input[:]
    new.input.extend(reference for reference in node.input if not reference.startswith("^"))
    for unwanted in ("_class", "_output_shapes"):
        new.attr.pop(unwanted, None)
    new.device = ""
    if node.op == "PlaceholderWithDefault":
        new.op = "Identity"
        new.ClearField("attr")
        new.attr["T"].type = node.attr["dtype"].type
    elif node.op in FAKE_QUANTIZATION and not rounded:
        new.op = "Identity"
        new.ClearField("attr")
        new.attr["T"].type = types.DT_FLOAT
        del new.input[1:]
    elif node.op == "BatchNormWithGlobalNormalization" and len(new.input) == 5:  # in graphs of 2015
        values, mean, variance, beta, gamma = new.input
        if not node.attr["scale_after_normalization"].b:
            ones = part.node.add()
            ones.name, ones.op = f"{node.name}/ones", "OnesLike"
            ones.input.append(gamma)
            ones.attr["T"].CopyFrom(node.attr["T"])
            gamma = ones.name
        new.op = "FusedBatchNorm"
        new.ClearField("attr")
        new.attr["T"].CopyFrom(node.attr["T"])
        new.attr["epsilon"].f = node.attr["variance_epsilon"].f
        new.attr["is_training"].b = False
        del new.input[:]
        new.input.extend((values, gamma, beta, mean, variance))
