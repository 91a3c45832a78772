"""A TensorFlow network -> backbone files in the four precisions.

TensorFlow's converter runs once and makes the core: the float32 file of the network of scaled photos. All four files
are made from it: float32 by adding the scaling (`input_scaling.py`), float16 and dynamic from that with smaller weights
(`weight_quantization.py`), int8 by TensorFlow's quantizer from the core, where the scaling is the input's quantization.
A scaling that differs between the colour channels cannot be the quantization of a tensor: then int8 also gets it as
operators.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.data.pixels import Pixels
from edgeretrain.data.scaling import Scaling
from edgeretrain.precision import Precision
from edgeretrain.quantization.activation_ranges import with_ranges
from edgeretrain.quantization.input_scaling import with_scaling
from edgeretrain.quantization.weight_quantization import to_dynamic, to_float16
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import TfTensor

CalibrationPixels = Iterable[Pixels]


@dataclass(frozen=True)
class FrozenNetwork:
    """A network traced and converted once, its weights constants.

    Attributes:
        core: float32: scaled photo `[1,S,S,3]` -> bottleneck `[1,d]`.
        size: S, pixels.
        length: d.
        scaling: of the pixels.
    """

    core: Model
    size: int
    length: int
    scaling: Scaling


def freeze(network: Callable[[TfTensor], TfTensor], size: int, scaling: Scaling) -> FrozenNetwork:
    """Trace a network of scaled photos, make its weights constants and convert it.

    Args:
        network: scaled photo `float32 [1,S,S,3]` -> bottleneck, `[1,d]` or `[1,1,1,d]`; see `Source.network`.
    """
    import tensorflow as tf

    def run(photo: TfTensor) -> TfTensor:
        bottleneck = network(photo)
        return bottleneck if len(bottleneck.shape) == 2 else tf.reshape(bottleneck, (1, -1))

    with quiet():
        signature = [tf.TensorSpec((1, size, size, 3), tf.float32, name="photo")]
        traced = tf.function(run, input_signature=signature).get_concrete_function()
        data = tf.lite.TFLiteConverter.from_concrete_functions([traced]).convert()
    core = Model.read(bytes(data))
    core.tensors[core.inputs[0]].name, core.tensors[core.outputs[0]].name = "photo", "bottleneck"
    return FrozenNetwork(core, size, int(traced.outputs[0].shape[1]), scaling)


def convert(network: FrozenNetwork, precision: Precision, calibration: CalibrationPixels | None = None) -> bytes:
    """One `.tflite` file of that precision.

    Args:
        calibration: for int8, photos `uint8 [S,S,3]`, which give the activations' ranges.

    Raises:
        ValueError: int8 without calibration photos.
    """
    if precision == "int8":
        if calibration is None:
            raise ValueError("int8 needs calibration photos")
        return _quantized(network, calibration)
    float32 = with_scaling(network.core, network.scaling)
    if precision == "float16":
        return to_float16(float32)
    return to_dynamic(float32) if precision == "dynamic" else float32.write()


def _quantized(network: FrozenNetwork, photos: CalibrationPixels) -> bytes:
    """int8 throughout: weights with a scale for each filter, activations with the ranges on the photos."""
    import tensorflow as tf
    from tensorflow.lite.python.convert import mlir_quantize

    uniform = network.scaling.uniform
    model = network.core if uniform else with_scaling(network.core, network.scaling)
    calibrated = with_ranges(model, _scaled(photos, network.scaling if uniform else None))
    with quiet():
        # TFLiteConverter calls it after its own calibration. Fully connected layers get one scale for all rows: with
        # more, tflite-runtime 2.14 refuses their operator.
        return bytes(
            mlir_quantize(
                calibrated,
                input_data_type=tf.uint8,
                output_data_type=tf.int8,
                disable_per_channel_for_dense_layers=True,
            )
        )


def _scaled(photos: CalibrationPixels, scaling: Scaling | None) -> Iterator[npt.NDArray[np.float32]]:
    """Calibration photos as the int8 file sees them.

    The first one gets a black and a white pixel: then the input's range is exactly that of the pixels, 0 to 255, and
    a uint8 photo is fed as it is.
    """
    for number, photo in enumerate(photos):
        pixels = photo.astype(np.float32)
        if number == 0:
            pixels[0, 0], pixels[0, 1] = 0, 255
        yield scaling(pixels[None]) if scaling is not None else pixels[None]
