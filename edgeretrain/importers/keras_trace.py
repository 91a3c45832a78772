"""One run of a Keras network, looked at: which layers were called on what, and which of them everything passes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        path: the layer's name behind the names of the networks it is nested in, such as `backbone/Conv1`.
        layer: of Keras.
        input, output: tensors; `input` is None when the layer was given several.
    """

    path: str
    layer: Any
    input: Any
    output: Any

    @property
    def kind(self) -> str:
        """The layer's class."""
        return type(self.layer).__name__

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


@dataclass
class Run:
    """What happened when a network was run on one photo.

    Attributes:
        calls: of its layers and the networks nested in it, each when it was done.
        output: what the network gave.
    """

    calls: list[Call] = field(default_factory=list)
    output: Any = None


def run(model: Any, photo: Any) -> Run:
    """Run a network in inference mode on `[1,S,S,3]` and take down every call of a layer."""
    taken = Run()
    with _calls_into(taken.calls):
        taken.output = model(photo, training=False)
    return taken


@contextmanager
def _calls_into(calls: list[Call]) -> Iterator[None]:
    """For the time of the block, all calls of Keras layers are taken down in `calls`."""
    import tensorflow as tf

    kind = tf.keras.layers.Layer
    ordinary = kind.__call__
    names: list[str] = []

    def call(self: Any, *inputs: Any, **named: Any) -> Any:
        names.append(self.name)
        try:
            output = ordinary(self, *inputs, **named)
            if path := "/".join(names[1:]):
                calls.append(Call(path, self, inputs[0] if inputs and tf.is_tensor(inputs[0]) else None, output))
            return output
        finally:
            names.pop()

    kind.__call__ = call
    try:
        yield
    finally:
        kind.__call__ = ordinary


@dataclass(frozen=True)
class Graph:
    """A network traced by TensorFlow.

    Attributes:
        photo: the tensor it starts from, `float32 [1,S,S,3]`.
        run: what happened in the trace; its tensors are the graph's.
        variables: the weights, by the name of the operation that brings each into the graph.
    """

    photo: Any
    run: Run
    variables: dict[str, Any]

    def passes(self, tensor: Any) -> bool:
        """Whether all that reaches the output passes through this tensor."""
        return self.photo.op.name not in self._behind(self.run.output, stop=tensor.op.name)

    def parameters(self, tensor: Any) -> int:
        """How many numbers the weights hold that a tensor is computed from."""
        behind = self._behind(tensor)
        return sum(prod(variable.shape) for name, variable in self.variables.items() if name in behind)

    def _behind(self, tensor: Any, stop: str = "") -> set[str]:
        """The operations that a tensor is computed from, as far as there is a way around the operation `stop`."""
        seen: set[str] = set()
        todo = [tensor.op]
        while todo:
            operation = todo.pop()
            if operation.name not in seen and operation.name != stop:
                seen.add(operation.name)
                todo += [one.op for one in operation.inputs]
        return seen


def trace(model: Any, size: int) -> Graph:
    """Trace a network of photos of `size` x `size` pixels. Whatever TensorFlow has against it, it raises."""
    import tensorflow as tf

    runs = []

    def look(photo: Any) -> Any:
        runs.append(run(model, photo))
        return runs[-1].output

    traced = tf.function(look).get_concrete_function(tf.TensorSpec((1, size, size, 3), tf.float32))
    handles = {id(variable.handle): variable for variable in traced.variables}
    captures = traced.graph.captures
    variables = {inner.op.name: handles[id(outer)] for outer, inner in captures if id(outer) in handles}
    return Graph(traced.inputs[0], runs[-1], variables)
