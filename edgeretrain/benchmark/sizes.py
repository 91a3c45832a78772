"""How large a model is: as a file, its weights, and inside an APK."""

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.inspect import inspect_model
from edgeretrain.tflite.runtime import check_is_tflite


@dataclass(frozen=True)
class ModelSizes:
    """Sizes of a model file, and what identifies it.

    Attributes:
        sha256: of its content, hexadecimal.
        bytes: of the file.
        weight_bytes: of all constant data in it; None where LiteRT's schema is not installed or the file is damaged.
        compressed_bytes: of the file deflated at level 9, as zip files and APKs do it.
    """

    sha256: str
    bytes: int
    weight_bytes: int | None
    compressed_bytes: int


def model_sizes(model: Path) -> ModelSizes:
    """The sizes of a model file.

    Raises:
        EdgeretrainError: the file cannot be read or is no TFLite model.
    """
    check_is_tflite(model)
    try:
        content = model.read_bytes()
    except OSError as error:
        raise EdgeretrainError(f"{model}: cannot be read ({error.strerror}). Give a .tflite file.") from None
    try:
        weight_bytes = inspect_model(model)["weight_bytes"]
    except EdgeretrainError:  # whether the runtime takes it is seen later
        weight_bytes = None
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return ModelSizes(
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        weight_bytes=weight_bytes,
        compressed_bytes=len(deflate.compress(content)) + len(deflate.flush()),
    )
