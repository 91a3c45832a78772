"""A TFLite flatbuffer as a tree of objects (LiteRT's generated schema classes), and back to bytes."""

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.runtime import check_is_tflite

IDENTIFIER = b"TFL3"


def schema() -> Any:
    """LiteRT's generated schema module: `ModelT`, `TensorT`, `BuiltinOperator` and so on.

    Raises:
        EdgeretrainError: ai-edge-litert is not installed (32-bit ARM): such a machine classifies, but cannot write
            or inspect models.
    """
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        raise EdgeretrainError(
            "Writing or inspecting a .tflite file needs LiteRT's schema: pip install ai-edge-litert "
            "(64-bit systems only)."
        ) from None
    return schema_py_generated


def read_model(path: Path) -> Any:
    """The file's `ModelT`: version, operator codes, subgraphs, buffers (NumPy uint8 arrays), metadata.

    Raises:
        EdgeretrainError: the file cannot be read, is no TFLite model, or is damaged.
    """
    check_is_tflite(path)
    data = path.read_bytes()
    with damage_told(path):
        return schema().ModelT.InitFromPackedBuf(data, 0)


@contextlib.contextmanager
def damage_told(path: Path) -> Iterator[None]:
    """Turn what a damaged flatbuffer does to code that walks it (it points to nowhere) into an EdgeretrainError."""
    try:
        yield
    except (IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, struct.error) as error:
        raise EdgeretrainError(f"{path}: the TFLite model is damaged or cut off. Copy or make it again.") from error


def write_model(model: Any) -> bytes:
    """The flatbuffer of a `ModelT`; the same tree gives the same bytes."""
    import flatbuffers

    size = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(size + 2**16)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def add_buffer(model: Any, data: bytes) -> int:
    """Append a buffer to a `ModelT`; its index. Index 0 is by convention the empty buffer of every activation."""
    buffer = schema().BufferT()
    buffer.data = np.frombuffer(data, np.uint8)
    model.buffers.append(buffer)
    return len(model.buffers) - 1
