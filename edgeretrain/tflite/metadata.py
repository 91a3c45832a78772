"""TFLite metadata: MediaPipe Tasks, ML Kit and the Task Library read them to run a model without further settings.

The format is the TFLite metadata schema (file identifier `M001`): a flatbuffer of its own, kept in the model's
metadata under `TFLITE_METADATA`. It names the associated files that `package` puts behind the model. Tables are
written by slot number, as the schema numbers their fields: packages that offer a writer are heavy (mediapipe is 43 MB,
and brings OpenCV and matplotlib along).
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeretrain.tflite.package import CARD_MEMBER, LABELS_MEMBER

METADATA_NAME = "TFLITE_METADATA"
_IDENTIFIER = b"M001"

# Values of the schema's enums and unions.
_RGB = 1  # ColorSpaceType
_IMAGE_PROPERTIES = 2  # ContentProperties
_FEATURE_PROPERTIES = 1  # ContentProperties
_NORMALIZATION_OPTIONS = 1  # ProcessUnitOptions
_DESCRIPTIONS = 1  # AssociatedFileType
_TENSOR_AXIS_LABELS = 2  # AssociatedFileType

_MOST = 64
"""Entries of a vector that are read, at most: more means that it is damaged."""


class _Writer:
    """The few shapes that metadata tables are made of."""

    def __init__(self) -> None:
        import flatbuffers

        self.builder = flatbuffers.Builder(1024)

    def text(self, value: str) -> int:
        return int(self.builder.CreateString(value))

    def tables(self, offsets: Sequence[int]) -> int:
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return int(self.builder.EndVector())

    def floats(self, values: Sequence[float]) -> int:
        self.builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self.builder.PrependFloat32(value)
        return int(self.builder.EndVector())

    def table(self, slots: int, offsets: dict[int, int], enums: dict[int, int] | None = None) -> int:
        """A table of `slots` fields: `offsets` are strings, vectors and tables, `enums` one-byte numbers."""
        self.builder.StartObject(slots)
        for slot, offset in offsets.items():
            self.builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, value in (enums or {}).items():
            self.builder.PrependUint8Slot(slot, value, 0)
        return int(self.builder.EndObject())

    def associated_file(self, name: str, description: str, kind: int) -> int:
        return self.table(5, {0: self.text(name), 1: self.text(description)}, {2: kind})


def build_metadata(name: str, description: str, *, float_input: bool, licence: str, version: str) -> bytes:
    """The metadata flatbuffer of a classifier.

    Args:
        name: the model's name.
        description: one sentence on what it was made of.
        float_input: the input tensor is float32. Its normalization is mean 0, std 1: the model takes raw RGB, 0 to 255.
        licence: licence of the weights.
        version: version of the maker.
    """
    writer = _Writer()
    image = writer.table(
        3, {1: writer.table(2, {}, {0: _RGB})}, {0: _IMAGE_PROPERTIES}
    )  # Content of ImageProperties: RGB of any size, the reader takes the size from the tensor
    photo_slots = {
        0: writer.text("photo"),
        1: writer.text("One photo, RGB, 0 to 255, upright, resized to the tensor's size."),
        3: image,
        5: writer.table(2, {0: writer.floats([255.0]), 1: writer.floats([0.0])}),
    }
    if float_input:
        normalization = writer.table(2, {0: writer.floats([0.0]), 1: writer.floats([1.0])})
        photo_slots[4] = writer.tables([writer.table(2, {1: normalization}, {0: _NORMALIZATION_OPTIONS})])
    photo = writer.table(7, photo_slots)
    labels = writer.associated_file(LABELS_MEMBER, "Class names in the order of the output.", _TENSOR_AXIS_LABELS)
    probabilities = writer.table(
        7,
        {
            0: writer.text("probability"),
            1: writer.text("Probability of each class."),
            3: writer.table(3, {1: writer.table(0, {})}, {0: _FEATURE_PROPERTIES}),
            5: writer.table(2, {0: writer.floats([1.0]), 1: writer.floats([0.0])}),
            6: writer.tables([labels]),
        },
    )
    subgraph = writer.table(10, {2: writer.tables([photo]), 3: writer.tables([probabilities])})
    card = writer.associated_file(CARD_MEMBER, "How edgeretrain made this model.", _DESCRIPTIONS)
    root = writer.table(
        8,
        {
            0: writer.text(name),
            1: writer.text(description),
            2: writer.text(version),
            3: writer.tables([subgraph]),
            4: writer.text("edgeretrain"),
            5: writer.text(licence),
            6: writer.tables([card]),
            7: writer.text("1.0.0"),
        },
    )
    writer.builder.Finish(root, _IDENTIFIER)
    return bytes(writer.builder.Output())


def read_normalization(metadata: bytes) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and std that a metadata flatbuffer says of the photo, (photo - mean) / std: one number each, or three.

    Returns:
        None when it says nothing of that, or cannot be read.
    """
    from flatbuffers.number_types import Uint8Flags
    from flatbuffers.table import Table

    try:
        root = Table(bytearray(metadata), struct.unpack_from("<I", metadata)[0])
        for subgraph in _tables(root, 3):
            for unit in (unit for photo in _tables(subgraph, 2)[:1] for unit in _tables(photo, 4)):
                kind, options = unit.Offset(_offset(0)), unit.Offset(_offset(1))
                if kind and options and unit.Get(Uint8Flags, unit.Pos + kind) == _NORMALIZATION_OPTIONS:
                    normalization = Table(unit.Bytes, unit.Indirect(unit.Pos + options))
                    mean, std = _floats(normalization, 0), _floats(normalization, 1)
                    known = {len(mean), len(std)} <= {1, 3} and min(std) > 0
                    return (mean, std) if known and np.isfinite((*mean, *std)).all() else None
    except (struct.error, IndexError, ValueError, TypeError, OverflowError):
        pass
    return None


def _tables(table: Any, slot: int) -> list[Any]:
    """The tables of a vector field."""
    offset = table.Offset(_offset(slot))
    if not offset:
        return []
    start, length = table.Vector(offset), min(table.VectorLen(offset), _MOST)
    return [type(table)(table.Bytes, table.Indirect(start + 4 * number)) for number in range(length)]


def _floats(table: Any, slot: int) -> tuple[float, ...]:
    offset = table.Offset(_offset(slot))
    length = min(table.VectorLen(offset), _MOST) if offset else 0
    return struct.unpack_from(f"<{length}f", table.Bytes, table.Vector(offset) if offset else 0)


def _offset(slot: int) -> int:
    """Where a table's directory has the field of that number."""
    return 4 + 2 * slot
