"""A TFLite flatbuffer as a tree of objects (LiteRT's generated schema classes), and back to bytes.

`Model` edits such a tree.
"""

import contextlib
import functools
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.runtime import check_is_tflite

IDENTIFIER = b"TFL3"

ModelT = Any
SubGraphT = Any
TensorT = Any
OperatorT = Any
OperatorCodeT = Any
OptionsT = Any
QuantizationT = Any
"""Objects of LiteRT's generated schema, which has no types."""


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


@functools.cache
def enum_names(enumeration: str) -> dict[int, str]:
    """The names in one of the schema's enumerations, such as `BuiltinOperator`, by value."""
    return {value: name for name, value in vars(getattr(schema(), enumeration)).items() if isinstance(value, int)}


def read_model(source: Path | bytes) -> ModelT:
    """A file's `ModelT`: version, operator codes, subgraphs, buffers (NumPy uint8 arrays), metadata.

    Raises:
        EdgeretrainError: the file cannot be read, is not a TFLite model, or is damaged.
    """
    if isinstance(source, bytes):
        data = source
    else:
        check_is_tflite(source)
        data = source.read_bytes()
    with as_damaged_file(source if isinstance(source, Path) else "The model"):
        return schema().ModelT.InitFromPackedBuf(data, 0)


@contextlib.contextmanager
def as_damaged_file(name: Path | str) -> Iterator[None]:
    """Turn the errors of walking a damaged flatbuffer into an EdgeretrainError."""
    try:
        yield
    except (IndexError, ValueError, TypeError, AttributeError, OverflowError, MemoryError, struct.error) as error:
        raise EdgeretrainError(f"{name}: the TFLite model is damaged or cut off. Copy or make it again.") from error


def write_model(tree: ModelT) -> bytes:
    """The flatbuffer of a `ModelT`; the same tree gives the same bytes."""
    import flatbuffers

    size = sum(len(buffer.data) for buffer in tree.buffers if buffer.data is not None)
    builder = flatbuffers.Builder(size + 2**16)
    builder.Finish(tree.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


@dataclass(frozen=True)
class OperatorKind:
    """What an operator code stands for: a name in the schema, such as `CONV_2D`, or the name of a custom operator."""

    name: str
    version: int
    custom: bool


def operator_kind(code: OperatorCodeT) -> OperatorKind:
    """What an `OperatorCodeT` stands for."""
    # Writers before schema 3a fill the one-byte field only.
    value = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = enum_names("BuiltinOperator").get(value, f"operator {value}")  # the schema may be older than the file
    custom = name == "CUSTOM"
    return OperatorKind(text(code.customCode) if custom else name, int(code.version), custom)


def numbers(values: Any) -> tuple[int, ...]:
    """The integers of a vector field, which may be missing."""
    return () if values is None else tuple(int(value) for value in values)


def text(value: Any) -> str:
    """A string field: bytes as it was read, `str` as it was set, or missing."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
