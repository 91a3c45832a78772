"""The scale at which a JPEG is decoded: how far libjpeg may shrink a photo before it is resized. See docs/pixels.md."""

from typing import BinaryIO

_MARGIN = 2
"""Both decoded sides are at least this many times the result's; the resize, a better filter, does the rest."""

_DCT_FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)
"""Markers SOF0, 1, 2, 9, 10: baseline, extended, progressive, the last two also with arithmetic coding."""

_OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC8, 0xCB, 0xCD, 0xCE, 0xCF)
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8))  # TEM, RST0 to RST7
_NO_FRAME_FOLLOWS = (0xD8, 0xD9, 0xDA)  # a second SOI, EOI, SOS


def scale_denominator(width: int, height: int, size: int) -> int:
    """The largest s of 8, 4, 2, 1 such that the photo decoded at 1/s has both sides at least 2 * size long.

    A side of n pixels is then ceil(n / s) pixels long. 1 if the whole photo is smaller than that. Fit and orientation
    make no difference: the shorter side decides, which is also the side of the square that `crop` keeps.

    Args:
        width, height: of the whole photo, pixels.
        size: side of the result, pixels.
    """
    shorter = min(width, height)
    return next((s for s in (8, 4, 2) if (shorter + s - 1) // s >= _MARGIN * size), 1)


def can_be_scaled(file: BinaryIO) -> bool:
    """Whether a JPEG is coded by the DCT, and so can be decoded at a scale.

    A lossless JPEG cannot, and Pillow does not check: asked to scale one, it writes the whole photo into the memory of
    the small one. So the first frame header is searched here as libjpeg does it.

    Args:
        file: a JPEG, seekable; left at an unknown position.
    """
    file.seek(2)
    while True:
        marker = _next_marker(file)
        if marker in _DCT_FRAMES:
            return True
        if marker is None or marker in _OTHER_FRAMES or marker in _NO_FRAME_FOLLOWS:
            return False
        if marker not in _WITHOUT_LENGTH:
            length = int.from_bytes(file.read(2), "big")
            if length < 2:
                return False
            file.seek(length - 2, 1)


def _next_marker(file: BinaryIO) -> int | None:
    """The byte behind the next 0xFF that is neither 0 nor 0xFF; None at the end of the file."""
    while byte := file.read(1):
        if byte != b"\xff":
            continue
        while byte == b"\xff":
            byte = file.read(1)
        if byte not in (b"", b"\0"):
            return byte[0]
    return None
