"""Photos of 10, 12, 14 or 16 bits per sample: how many bits their samples hold, and their 8-bit form.

docs/pixels.md states the rule.
"""

import struct
import sys
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

_MAX_SAMPLE_VALUE, _BITS_PER_SAMPLE = 281, 258
_GUESSED = (8, 10, 12, 14)
"""Bits that samples may hold where the file does not say it."""

_NATIVE = "L" if sys.byteorder == "little" else "B"


def declared_bits(image: Image.Image) -> int | None:
    """How many bits the samples of a 16-bit PNG or TIFF hold, as its header says; None: it says nothing.

    Args:
        image: not yet loaded.
    """
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        stored = _first(tags.get(_BITS_PER_SAMPLE)) or 16
        largest = _first(tags.get(_MAX_SAMPLE_VALUE)) or 65535
        bits = min(stored, largest.bit_length())
        return bits if bits < 16 else None
    if image.format == "PNG":
        file: Any = getattr(image, "fp", None)
        return _significant_bits(file) if file is not None else None
    return None


def gray_to_8_bits(image: Image.Image, declared: int | None) -> Image.Image:
    """A loaded gray photo of 16-bit samples as L; the value that a PNG declares transparent becomes white."""
    samples = np.asarray(image)
    bits = _bits(int(samples.max()), declared)
    gray = np.minimum(samples >> (bits - 8), 255).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[samples == transparent] = 255
    return Image.fromarray(gray)


def is_deep_colour(image: Image.Image) -> bool:
    """Whether this is a photo, not yet loaded, of 16-bit colour that Pillow would cut to the high bytes."""
    return image.mode in ("RGB", "RGBA") and bool(_rawmodes(image) & {*_SWAPPED, *_NATIVES})


def colour_to_8_bits(high: Image.Image, file: BinaryIO, declared: int | None) -> Image.Image:
    """A loaded photo of 16-bit colour by the bits that its samples hold; the same photo where these are all 16.

    Args:
        high: the high bytes, as Pillow has loaded them.
        file: the photo's bytes, seekable; read once more where the samples hold fewer bits.
    """
    colours = high.getextrema()[:3]
    largest = max(int(most) for _, most in colours)  # type: ignore[misc]
    if _bits(largest << 8 | 255, declared) == 16:
        return high
    file.seek(0)
    again: Any = Image.open(file, formats=(str(high.format),))
    again.tile = [_low_bytes(tile) for tile in again.tile]
    again.load()
    samples = np.asarray(high).astype(np.uint16) << 8 | np.asarray(again)
    bits = _bits(int(samples[..., :3].max()), declared)
    eight = np.minimum(samples >> (bits - 8), 255).astype(np.uint8)
    if samples.shape[2] == 4 and samples[..., 3].max() >= 1 << bits:
        eight[..., 3] = samples[..., 3] >> 8
    made = Image.fromarray(eight)
    made.info = {key: value for key, value in high.info.items() if key != "transparency"}
    made.format = high.format
    return made


def _bits(largest: int, declared: int | None) -> int:
    if declared is not None:
        return max(8, declared) if largest >> declared == 0 else 16
    return next((bits for bits in _GUESSED if largest >> bits == 0), 16)


def _significant_bits(file: BinaryIO) -> int | None:
    """The largest number in a PNG's sBIT chunk."""
    position = file.tell()
    try:
        file.seek(8)
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"IDAT":
                return None
            if kind == b"sBIT":
                bits = max(file.read(min(length, 4)), default=16)
                return bits if 0 < bits < 16 else None
            file.seek(length + 4, 1)
        return None
    finally:
        file.seek(position)


def _first(value: Any) -> int | None:
    if isinstance(value, tuple):
        value = value[0] if value else None
    return value if isinstance(value, int) and value > 0 else None


_SWAPPED = {f"{mode};16{order}": f"{mode};16{other}" for mode in ("RGB", "RGBA") for order, other in ("BL", "LB")}
_NATIVES = {f"{mode};16N": f"{mode};16{'B' if _NATIVE == 'L' else 'L'}" for mode in ("RGB", "RGBA")}


def _rawmodes(image: Image.Image) -> set[str]:
    return {_rawmode(tile[3]) for tile in getattr(image, "tile", ())}


def _rawmode(arguments: Any) -> str:
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _low_bytes(tile: Any) -> Any:
    """The same tile, read in the other order of bytes: where Pillow takes the high byte there is the low one."""
    codec, box, offset, arguments = tile
    other = {**_SWAPPED, **_NATIVES}[_rawmode(arguments)]
    changed = (other, *arguments[1:]) if isinstance(arguments, tuple) else other
    return type(tile)(codec, box, offset, changed) if type(tile) is not tuple else (codec, box, offset, changed)
