"""docs/pixels.md written down as code: what `load_pixels` is held against."""

import math
import struct
import zlib

import numpy as np

# Nothing here may call Pillow.


def denominator(width: int, height: int, size: int) -> int:
    """Section 1: at which scale a JPEG is decoded."""
    enough = [s for s in (1, 2, 4, 8) if min(math.ceil(width / s), math.ceil(height / s)) >= 2 * size]
    return max(enough, default=1)


def shrunk(samples: np.ndarray, s: int) -> np.ndarray:
    """Section 1: what a photo decoded at 1/s shows, float64 [ceil(h / s), ceil(w / s), channels]: means of s x s."""
    h, w = samples.shape[:2]
    padded = np.pad(samples.astype(np.float64), ((0, -h % s), (0, -w % s), (0, 0)), "edge")
    return padded.reshape(padded.shape[0] // s, s, padded.shape[1] // s, s, -1).mean(axis=(1, 3))


# Section 5, word for word.


def weights(n: int, size: int, start: float, extent: float) -> list[tuple[int, list[int]]]:
    scale = extent / size
    support = max(scale, 1.0)
    table = []
    for i in range(size):
        centre = start + (i + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), n)
        inverse = 1.0 / support
        total = 0.0
        k = []
        for x in range(first, last):
            d = abs((x - centre + 0.5) * inverse)
            k.append(1.0 - d if d < 1.0 else 0.0)
            total = total + k[-1]
        if total != 0.0:
            k = [value / total for value in k]
        table.append((first, [int(0.5 + value * 4194304.0) for value in k]))
    return table


def one_pass(lines: np.ndarray, size: int, start: float, extent: float) -> np.ndarray:
    """Along axis 1 of [lines, n, channels]."""
    if lines.shape[1] == size and start == 0.0 and extent == size:
        return lines
    out = np.empty((lines.shape[0], size, lines.shape[2]), np.uint8)
    for i, (first, q) in enumerate(weights(lines.shape[1], size, start, extent)):
        acc = np.full((lines.shape[0], lines.shape[2]), 2097152, np.int32)
        for x, weight in enumerate(q, start=first):
            acc += np.int32(weight) * lines[:, x].astype(np.int32)
        out[:, i] = np.clip(acc >> 22, 0, 255)
    return out


def reference(
    rgb: np.ndarray,
    size: int,
    fit: str = "squash",
    orientation: int = 1,
    whole: tuple[int, int] | None = None,
    s: int = 1,
) -> np.ndarray:
    """Sections 3 to 5 of docs/pixels.md on uint8 [h, w, 3], decoded at 1/s from a photo of whole = (width, height)."""
    h, w = rgb.shape[:2]
    stored_width, stored_height = whole or (w, h)
    a, b = w * s - stored_width, h * s - stored_height
    stored, left, top = {
        1: (lambda x, y: (x, y), 0, 0),
        2: (lambda x, y: (w - 1 - x, y), a, 0),
        3: (lambda x, y: (w - 1 - x, h - 1 - y), a, b),
        4: (lambda x, y: (x, h - 1 - y), 0, b),
        5: (lambda x, y: (y, x), 0, 0),
        6: (lambda x, y: (y, h - 1 - x), b, 0),
        7: (lambda x, y: (w - 1 - y, h - 1 - x), b, a),
        8: (lambda x, y: (w - 1 - y, x), 0, a),
    }[orientation]
    turned = orientation >= 5
    y, x = np.mgrid[0 : w if turned else h, 0 : h if turned else w]
    source_x, source_y = stored(x, y)
    rgb = rgb[source_y, source_x]
    width, height = (stored_height, stored_width) if turned else (stored_width, stored_height)
    if fit == "crop":
        side = min(width, height)
        left, top = left + (width - side) // 2, top + (height - side) // 2
        width = height = side
    first_x, first_y = left // s, top // s
    rgb = rgb[first_y : math.ceil((top + height) / s), first_x : math.ceil((left + width) / s)]
    rows = one_pass(rgb, size, (left - first_x * s) / s, width / s)
    return one_pass(rows.transpose(1, 0, 2), size, (top - first_y * s) / s, height / s).transpose(1, 0, 2)


def over(alpha: np.ndarray, colour: np.ndarray) -> np.ndarray:
    t = 255 * (255 - alpha.astype(np.int32)) + colour.astype(np.int32) * alpha + 128
    return ((t + (t >> 8)) >> 8).astype(np.uint8)


def unfiltered(data: bytes) -> tuple[np.ndarray, dict[bytes, bytes]]:
    """The samples of a golden PNG or BMP, read without Pillow, and a PNG's other chunks."""
    if data[:2] == b"BM":
        width, height = struct.unpack("<ii", data[18:26])
        stride = (width * 3 + 3) // 4 * 4
        rows = np.frombuffer(data, np.uint8, stride * height, 54).reshape(height, stride)[::-1, : width * 3]
        return rows.reshape(height, width, 3)[..., ::-1], {}
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        chunks[data[position + 4 : position + 8]] = data[position + 8 : position + 8 + length]
        position += length + 12
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    assert not rows[:, 0].any()  # filter "none"
    samples = rows[:, 1:].copy().view(">u2" if depth == 16 else np.uint8)
    return samples.reshape(height, width, channels), chunks


def golden_rgb(data: bytes) -> tuple[np.ndarray, int]:
    """Section 2 of docs/pixels.md for the golden inputs; the EXIF orientation."""
    samples, chunks = unfiltered(data)
    orientation = struct.unpack(">H", chunks[b"eXIf"][18:20])[0] if b"eXIf" in chunks else 1
    if samples.dtype.itemsize == 2:
        samples = (samples >> 8).astype(np.uint8)
    if b"PLTE" in chunks:
        entries = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        opacity = np.full(len(entries), 255, np.uint8)
        opacity[: len(chunks.get(b"tRNS", b""))] = list(chunks.get(b"tRNS", b""))
        index = samples[..., 0]
        return over(opacity[index][..., None], entries[index]), orientation
    colours, alpha = samples, None
    if samples.shape[2] in (2, 4):
        colours, alpha = samples[..., :-1], samples[..., -1:]
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    return (colours if alpha is None else over(alpha, colours)), orientation
