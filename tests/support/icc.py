"""Colour profiles made by hand: matrix and curve, or a gray curve, as ICC.1 lays them out (version 4)."""

import struct

_D50 = (0.9642, 1.0, 0.8249)

# X, Y, Z of red, green and blue at full, adapted to D50.
DISPLAY_P3 = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""g, a, b, c, d: (a v + b) ** g from d on, c v below."""


def _fixed(*numbers: float) -> bytes:
    return b"".join(struct.pack(">i", round(number * 65536)) for number in numbers)


def _text(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded


def _curve(parameters: tuple[float, ...]) -> bytes:
    return b"para\0\0\0\0" + struct.pack(">HH", {1: 0, 5: 3}[len(parameters)], 0) + _fixed(*parameters)


def _profile(space: bytes, tags: list[tuple[bytes, bytes]]) -> bytes:
    tags = [
        (b"desc", _text("made by a test")),
        (b"cprt", _text("none")),
        (b"wtpt", b"XYZ \0\0\0\0" + _fixed(*_D50)),
        *tags,
    ]
    table, data = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags:
        table += name + struct.pack(">II", start + len(data), len(value))
        data += value + b"\0" * (-len(value) % 4)
    head = struct.pack(">I4sI4s4s4s", 128 + len(table) + len(data), b"\0" * 4, 0x04300000, b"mntr", space, b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + _fixed(*_D50)
    return head.ljust(128, b"\0") + table + data


def rgb_profile(colorants: tuple[tuple[float, ...], ...], curve: tuple[float, ...] = SRGB_CURVE) -> bytes:
    """The profile of a space with these colorants and one curve for its three channels."""
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = [(name, b"XYZ \0\0\0\0" + _fixed(*xyz)) for name, xyz in zip(names, colorants, strict=True)]
    return _profile(b"RGB ", tags + [(name, _curve(curve)) for name in (b"rTRC", b"gTRC", b"bTRC")])


def gray_profile(gamma: float) -> bytes:
    """The profile of gray with this exponent."""
    return _profile(b"GRAY", [(b"kTRC", _curve((gamma,)))])
