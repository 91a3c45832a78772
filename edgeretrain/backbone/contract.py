"""The contract of every backbone file that we make: its input, its output, and for int8, integers throughout."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import Precision
from edgeretrain.tflite.runtime import Runner


@dataclass(frozen=True)
class Contract:
    """What the files of a backbone must satisfy.

    Attributes:
        name: of the backbone.
        size: S, pixels.
        length: d, of the bottleneck.
        scaling: of the pixels.
    """

    name: str
    size: int
    length: int
    scaling: Scaling


def check_contract(data: bytes, contract: Contract, precision: Precision) -> None:
    """Check the inputs and outputs of a backbone file, and that an int8 one holds no float tensor.

    Raises:
        EdgeretrainError: the file breaks the contract; the message says where.
    """
    runner = Runner(data)
    integer = precision == "int8"

    def require(kept: bool, what: str) -> None:
        if not kept:
            raise _broken(contract, precision, what)

    require(len(runner.inputs) == len(runner.outputs) == 1, "has not one input and one output")
    photo, bottleneck = runner.inputs[0], runner.outputs[0]
    require(photo.shape == (1, contract.size, contract.size, 3), f"input shape {list(photo.shape)}")
    require(bottleneck.shape == (1, contract.length), f"output {list(bottleneck.shape)}")
    require(photo.dtype == (np.uint8 if integer else np.float32), f"input {photo.dtype}")
    require(bottleneck.dtype == (np.int8 if integer else np.float32), f"output {bottleneck.dtype}")
    if not integer:
        return
    scale, zero_point = photo.quantization.scale, photo.quantization.zero_point
    factor, offset = _input_scaling(contract.scaling)
    # For -1 to 1 zero is at pixel 127.5, which is no integer: half a step either way.
    exact = abs(scale / factor - 1) < 1e-6 and abs(zero_point + offset / factor) <= 0.5001
    require(exact, f"input scale {scale}, zero point {zero_point}")
    require(bottleneck.quantization.scale > 0, "output has no quantization")
    floats = [tensor.name for tensor in runner.tensors() if tensor.dtype in (np.float16, np.float32, np.float64)]
    require(not floats, f"holds float tensors: {', '.join(floats[:3])}")


def bottlenecks_of(data: bytes, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The bottlenecks `float32 [n,d]` that a backbone file gives for photos `uint8 [n,S,S,3]`, one by one."""
    runner = Runner(data)
    return np.stack([runner.run(photo[None].astype(runner.inputs[0].dtype))[0] for photo in pixels])


def _input_scaling(scaling: Scaling) -> tuple[float, float]:
    """Factor and offset that the input's quantization of an int8 file stands for; see `convert`."""
    return (scaling.factor[0], scaling.offset[0]) if scaling.uniform else (1.0, 0.0)


def _broken(contract: Contract, precision: Precision, what: str) -> EdgeretrainError:
    return EdgeretrainError(
        f"The converted {precision} backbone of {contract.name} is wrong: {what}. It was not written. "
        "The cause may be the converter of this TensorFlow version: install another one."
    )
