"""A frozen TensorFlow graph -> backbone files in the four precisions.

All precisions start from one traced and frozen graph, so tracing and freezing are paid once. The float ones take the
whole graph, raw RGB in. The int8 one starts behind the scaling: there the scaling is the input's quantization. A
scaling that differs between the colour channels is no quantization of a tensor: it stays in the graph.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.quiet import quiet
from edgeretrain.backbone.scaling import Scaling
from edgeretrain.presets import Precision

CalibrationPixels = Callable[[], Iterable[npt.NDArray[np.uint8]]]


@dataclass(frozen=True)
class FrozenGraph:
    """A network traced once, its weights constants in the graph.

    Attributes:
        graph_def: a TensorFlow `GraphDef`.
        photo: name of the placeholder node, `float32 [1,S,S,3]`, raw RGB 0 to 255.
        scaled: name of the node that holds the scaled photo.
        bottleneck: name of the node with the result, `float32 [1,d]`.
        size: S, pixels.
        length: d.
        scaling: of the pixels.
    """

    graph_def: Any
    photo: str
    scaled: str
    bottleneck: str
    size: int
    length: int
    scaling: Scaling


def freeze(network: Callable[[Any], Any], size: int, scaling: Scaling) -> FrozenGraph:
    """Trace a network of scaled photos behind the scaling of raw RGB; its weights become constants.

    Args:
        network: scaled photo `float32 [1,S,S,3]` -> bottleneck, `[1,d]` or `[1,1,1,d]`; see `Source.network`.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def run(photo: Any) -> Any:
        scaled = scaling.of_tensor(photo, "scaled")
        bottleneck = network(scaled)
        return bottleneck if len(bottleneck.shape) == 2 else tf.reshape(bottleneck, (1, -1))

    signature = [tf.TensorSpec((1, size, size, 3), tf.float32, name="photo")]
    traced = tf.function(run, input_signature=signature).get_concrete_function()
    frozen = convert_variables_to_constants_v2(traced)
    bottleneck = frozen.outputs[0]
    length = int(bottleneck.shape[1])
    return FrozenGraph(frozen.graph.as_graph_def(), "photo", "scaled", bottleneck.op.name, size, length, scaling)


def convert(graph: FrozenGraph, precision: Precision, calibration: CalibrationPixels | None = None) -> bytes:
    """One `.tflite` file of that precision.

    Args:
        calibration: for int8, gives photos `uint8 [S,S,3]` each time it is called; the activations' ranges are theirs.

    Raises:
        ValueError: int8 without calibration photos.
    """
    import tensorflow as tf

    with quiet():
        function = _function(graph, behind_scaling=precision == "int8" and graph.scaling.uniform)
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            if calibration is None:
                raise ValueError("int8 needs calibration photos")
            photos = calibration
            converter.representative_dataset = lambda: _scaled(graph, photos())
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = tf.uint8
            converter.inference_output_type = tf.int8
        return bytes(converter.convert())


def _function(graph: FrozenGraph, *, behind_scaling: bool) -> Any:
    """The graph as a function photo -> bottleneck; behind the scaling, the photo is the scaled one."""
    import tensorflow as tf

    entry = graph.scaled if behind_scaling else graph.photo

    def run(photo: Any) -> Any:
        (bottleneck,) = tf.graph_util.import_graph_def(
            graph.graph_def, input_map={f"{entry}:0": photo}, return_elements=[f"{graph.bottleneck}:0"], name="backbone"
        )
        return tf.identity(bottleneck, name="bottleneck")

    signature = [tf.TensorSpec((1, graph.size, graph.size, 3), tf.float32, name="photo")]
    wrapped = tf.compat.v1.wrap_function(run, signature)
    # Pruning drops the nodes that the bottleneck does not need, and lets the output keep its name.
    return wrapped.prune(wrapped.inputs[0], wrapped.graph.get_tensor_by_name("bottleneck:0"))


def _scaled(graph: FrozenGraph, photos: Iterable[npt.NDArray[np.uint8]]) -> Iterator[list[npt.NDArray[np.float32]]]:
    """Calibration photos as the int8 graph sees them.

    The first one gets a black and a white pixel: then the input's range is exactly that of the pixels, 0 to 255, and
    a uint8 photo is fed as it is.
    """
    for number, photo in enumerate(photos):
        pixels = photo.astype(np.float32)
        if number == 0:
            pixels[0, 0], pixels[0, 1] = 0, 255
        yield [graph.scaling(pixels[None]) if graph.scaling.uniform else pixels[None]]
