"""A SavedModel's graph with its variables put in as constants.

TensorFlow 1 wrote a graph and its variables' values: the values are put into the graph here, and nothing of it runs.
TensorFlow 2 wrote objects and functions: `tf.saved_model.load` puts them together. It runs what the objects say they
need to be made, such as tables; hence all operations are looked at before. It does not read what Keras wrote beside
them: no Keras layer, and no Lambda layer with Python in it, is ever made from a SavedModel.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import first_line
from edgeretrain.importers.operations import check_operations
from edgeretrain.importers.signatures import CALL, Signature, batch_and_side
from edgeretrain.tflite.quantized import Array
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import GraphDef, MetaGraphDef, NodeDef, TfFunction, TfTensor


class Objects:
    """A SavedModel of TensorFlow 2, loaded."""

    def __init__(self, folder: Path, graph: MetaGraphDef, what: str) -> None:
        """Check its operations, then load it.

        Args:
            graph: its `MetaGraphDef`.
            what: what error messages call it.

        Raises:
            EdgeretrainError: an operation reaches outside the network; it is damaged, or TensorFlow cannot load it.
        """
        import tensorflow as tf

        self.what = what
        _check_functions(graph, what)
        _check_variables(folder, graph, what)
        try:
            with quiet():
                self._loaded = tf.saved_model.load(str(folder))
        except Exception as error:  # TensorFlow's loader raises many types
            raise _not_loaded(what, folder, error) from error

    def call(self) -> Signature | None:
        """The module called as a function, when it takes a photo then; its tensors are known when it is frozen."""
        specs = self._photos()
        return Signature(CALL, "", *batch_and_side(specs[0].shape.as_list()), {}) if specs else None

    @property
    def reusable(self) -> bool:
        """Whether it has what TensorFlow Hub asks of a module (https://www.tensorflow.org/hub/reusable_saved_models)."""
        parts = ("trainable_variables", "regularization_losses")
        return bool(self._photos()) and all(hasattr(self._loaded, part) for part in parts)

    def frozen(self, name: str) -> tuple[GraphDef, Signature]:
        """A signature, or the call, as a `GraphDef`; and the signature with the tensors of that graph.

        Raises:
            EdgeretrainError: TensorFlow cannot freeze it.
        """
        try:
            with quiet():
                function = self._traced_call() if name == CALL else self._loaded.signatures[name]
        except Exception as error:  # as above
            raise _not_frozen(self.what, name, error) from error
        frozen = freeze_function(function, self.what, name)
        outputs = zip(sorted(function.structured_outputs), frozen.outputs, strict=True)
        tensors = {key: tensor.name for key, tensor in outputs}
        photo = frozen.inputs[0]
        shape = photo.shape.as_list() if photo.shape.rank is not None else []
        return frozen.graph.as_graph_def(), Signature(name, photo.name, *batch_and_side(shape), tensors)

    def _photos(self) -> list[Any]:
        """What the call takes, where that is one photo for inference; the least bound to a shape first."""
        import tensorflow as tf

        call = getattr(self._loaded, CALL, None)
        specs = []
        for concrete in getattr(call, "concrete_functions", ()):
            args, kwargs = concrete.structured_input_signature
            given = [spec for spec in tf.nest.flatten((args, kwargs)) if isinstance(spec, tf.TensorSpec)]
            images = [spec for spec in given if spec.shape.rank == 4 and spec.shape[3] in (3, None)]
            if len(images) == 1 and images[0].dtype in (tf.float32, tf.uint8):
                specs.append(images[0])
        return sorted(specs, key=lambda spec: sum(side is not None for side in spec.shape))

    def _traced_call(self) -> TfFunction:
        """The call for inference, traced as a function of the photo alone."""
        import tensorflow as tf

        spec = self._photos()[0]
        failed: list[Exception] = []
        for options in ({"training": False}, {}):

            def call(photo: TfTensor, options: dict[str, bool] = options) -> dict[str, TfTensor]:
                return _named(self._loaded(photo, **options))

            try:
                return tf.function(call, autograph=False).get_concrete_function(tf.TensorSpec(spec.shape, spec.dtype))
            except (ValueError, TypeError) as error:  # the call has no such argument
                failed.append(error)
        raise failed[-1]


def freeze_function(function: TfFunction, what: str, name: str = "it") -> TfFunction:
    """A traced function (`ConcreteFunction`) with its variables put in as constants and its calls put in their places.

    Args:
        what, name: what error messages call the network and the function.

    Raises:
        EdgeretrainError: TensorFlow cannot freeze it.
    """
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        with quiet():
            return convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    except Exception as error:  # TensorFlow's passes raise many types
        raise _not_frozen(what, name, error) from error


def freeze_session_graph(folder: Path, graph: MetaGraphDef, tensors: Iterable[str], what: str) -> GraphDef:
    """The `GraphDef` of a TF1 SavedModel, its variables read from its checkpoint. Nothing of it runs.

    Args:
        graph: its `MetaGraphDef`.
        tensors: whose values are wanted: the variables that they need are read.

    Raises:
        EdgeretrainError: the variables are missing or damaged.
    """
    import tensorflow as tf

    frozen = tf.compat.v1.GraphDef()
    frozen.CopyFrom(graph.graph_def)
    nodes = {node.name: node for node in frozen.node}
    needed = _needed(nodes, tensors)
    variables = [nodes[name] for name in needed if nodes[name].op in ("Variable", "VariableV2", "VarHandleOp")]
    if not variables:
        return frozen
    value = _checkpoint(folder, what)
    for node in variables:
        if node.op != "VarHandleOp":
            _become_constant(node, value(node.name))
    for name in needed:
        node = nodes[name]
        if node.op == "ReadVariableOp" and nodes[_node(node.input[0])].op == "VarHandleOp":
            _become_constant(node, value(_node(node.input[0])))
    return frozen


def _checkpoint(folder: Path, what: str) -> Callable[[str], Array]:
    """The values of a SavedModel's variables, by name."""
    import tensorflow as tf

    try:
        with quiet():
            checkpoint = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    except Exception as error:  # TensorFlow's reader raises many types
        raise _not_loaded(what, folder, error) from error

    def value(name: str) -> Array:
        if not checkpoint.has_tensor(name):
            raise EdgeretrainError(
                f"{what}: its variables hold no {name}, which the graph needs: graph and variables do not "
                "belong together. Download or export it again."
            )
        try:
            with quiet():
                return np.asarray(checkpoint.get_tensor(name))
        except Exception as error:  # as above
            raise _not_loaded(what, folder, error) from error

    return value


def _become_constant(node: NodeDef, value: Array) -> None:
    import tensorflow as tf

    node.op = "Const"
    del node.input[:]
    node.ClearField("attr")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    node.attr["dtype"].type = node.attr["value"].tensor.dtype


def _needed(nodes: dict[str, NodeDef], tensors: Iterable[str]) -> list[str]:
    """Names of the nodes that tensors are computed from."""
    needed: dict[str, None] = {}
    stack = [_node(tensor) for tensor in tensors]
    while stack:
        name = stack.pop()
        if name in nodes and name not in needed:
            needed[name] = None
            stack.extend(_node(reference) for reference in nodes[name].input)
    return list(needed)


def _node(reference: str) -> str:
    return reference.removeprefix("^").partition(":")[0]


def _check_functions(graph: MetaGraphDef, what: str) -> None:
    """Look at all operations of a TF2 SavedModel. Those of its saver, which no object refers to, are never run."""
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    reached: set[str] = set()
    stack = [name for name in graph.object_graph_def.concrete_functions if name in library]
    while stack:
        name = stack.pop()
        if name not in reached:
            reached.add(name)
            stack.extend(called for node in library[name].node_def for called in _called(node) if called in library)
    for name in sorted(library):
        check_operations(library[name].node_def, what, saver=name not in reached)
    check_operations(graph.graph_def.node, what, saver=True)


def _called(node: NodeDef) -> Iterable[str]:
    """Names of the functions that a node calls."""
    for attribute in node.attr.values():
        if attribute.HasField("func"):
            yield attribute.func.name
        yield from (function.name for function in attribute.list.func)


def _check_variables(folder: Path, graph: MetaGraphDef, what: str) -> None:
    has_variables = any(node.HasField("variable") for node in graph.object_graph_def.nodes)
    if has_variables and not (folder / "variables" / "variables.index").is_file():
        raise _not_loaded(what, folder, FileNotFoundError())


def _not_loaded(what: str, folder: Path, error: Exception) -> EdgeretrainError:
    if not (folder / "variables" / "variables.index").is_file():
        return EdgeretrainError(
            f"{what}: its weights are missing, the folder variables with variables.index and variables.data-... in it. "
            "Copy or unpack the whole folder."
        )
    return EdgeretrainError(
        f"{what}: TensorFlow cannot load it ({first_line(error)}). If it is damaged, copy or download it again; if "
        "another version of TensorFlow wrote it, freeze it there and give the frozen graph (.pb)."
    )


def _not_frozen(what: str, name: str, error: Exception) -> EdgeretrainError:
    return EdgeretrainError(
        f"{what}: TensorFlow cannot freeze {name} ({first_line(error)}). Freeze it with the version that wrote it, and "
        "give the frozen graph (.pb)."
    )


def _named(result: Any) -> dict[str, TfTensor]:
    """The tensors that a call gives, by name; those without a name are called by their place."""
    import tensorflow as tf

    if not isinstance(result, dict):
        several = isinstance(result, list | tuple)
        result = {f"output_{place}": value for place, value in enumerate(result)} if several else {"default": result}
    return {str(name): value for name, value in result.items() if tf.is_tensor(value)}
