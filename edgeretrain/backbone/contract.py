"""What every backbone file that we make must keep: its input, its output, and for int8, integers all the way."""

from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.quiet import quiet
from edgeretrain.errors import EdgeretrainError
from edgeretrain.presets import Precision, Preset


def check_contract(data: bytes, preset: Preset, precision: Precision) -> None:
    """Check the inputs and outputs of a backbone file, and that an int8 one holds no float tensor.

    Raises:
        EdgeretrainError: a part of the contract is broken; the message names it.
    """
    interpreter = _interpreter(data)
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    size = preset.resolution
    integer = precision == "int8"
    _require(preset, precision, len(inputs) == len(outputs) == 1, "has not one input and one output")
    photo, bottleneck = inputs[0], outputs[0]
    _require(preset, precision, list(photo["shape"]) == [1, size, size, 3], f"input shape {photo['shape']}")
    _require(preset, precision, list(bottleneck["shape"]) == [1, preset.bottleneck], f"output {bottleneck['shape']}")
    _require(preset, precision, photo["dtype"] == (np.uint8 if integer else np.float32), f"input {photo['dtype']}")
    _require(preset, precision, bottleneck["dtype"] == (np.int8 if integer else np.float32), "output type")
    if not integer:
        return
    scale, zero_point = photo["quantization"]
    # Pixels 0 to 255 stand for -1 to 1: 1/127.5 apart, with zero at 127.5, which is no integer.
    _require(preset, precision, abs(scale * 127.5 - 1) < 1e-6 and zero_point in (127, 128), f"input scale {scale}")
    _require(preset, precision, bottleneck["quantization"][0] > 0, "output has no quantization")
    floats = [t["name"] for t in interpreter.get_tensor_details() if t["dtype"] in (np.float16, np.float32, np.float64)]
    _require(preset, precision, not floats, f"holds float tensors: {', '.join(floats[:3])}")


def bottlenecks_of(data: bytes, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The bottlenecks `float32 [n,d]` that a backbone file gives for photos `uint8 [n,S,S,3]`, one by one."""
    interpreter = _interpreter(data)
    photo, bottleneck = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for one in pixels:
        interpreter.set_tensor(photo["index"], one[None].astype(photo["dtype"]))
        interpreter.invoke()
        row = interpreter.get_tensor(bottleneck["index"])[0].astype(np.float32)
        scale, zero_point = bottleneck["quantization"]
        rows.append((row - zero_point) * scale if scale else row)
    return np.stack(rows)


def _interpreter(data: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        interpreter = Interpreter(model_content=data)
        interpreter.allocate_tensors()
    return interpreter


def _require(preset: Preset, precision: Precision, kept: bool, what: str) -> None:
    if not kept:
        raise EdgeretrainError(
            f"The {precision} backbone of {preset.name} came out wrong: {what}. It was not written. "
            "This TensorFlow version's converter may be at fault: install another one."
        )
