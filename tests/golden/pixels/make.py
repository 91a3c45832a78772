"""Makes the golden vectors of docs/pixels.md in this folder: inputs, outputs, manifest.json. Same bytes every time."""

import hashlib
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms

from edgeretrain.data.pixels import Fit, load_pixels

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))
from support.icc import ADOBE_RGB, DISPLAY_P3, rgb_profile  # noqa: E402

SEED = 20240229

# name, kind, width, height, [(size, fit), ...]
OPAQUE: list[tuple[str, int, int, list[tuple[int, Fit]]]] = [
    ("landscape.png", 61, 40, [(24, "squash"), (24, "crop"), (96, "squash"), (7, "crop")]),
    ("portrait.bmp", 37, 64, [(24, "squash"), (24, "crop"), (37, "squash"), (64, "squash")]),
    ("square.png", 32, 32, [(32, "squash"), (32, "crop"), (16, "squash"), (31, "squash"), (33, "crop")]),
    ("tiny.bmp", 3, 2, [(24, "squash"), (24, "crop")]),
    ("column.png", 1, 29, [(12, "squash"), (12, "crop")]),
    ("row.bmp", 29, 1, [(12, "squash"), (1, "squash")]),
    ("large.png", 150, 113, [(96, "squash"), (96, "crop"), (5, "squash"), (1, "crop")]),
]

# name, width, height, channels, EXIF orientation, chroma subsampling, {denominator of the scale: [(size, fit), ...]}.
# The denominators are written down here and not asked of edgeretrain; the sides lie where the next scale just is, or
# just is not enough, and leave odd margins to `crop`.
JPEGS: list[tuple[str, int, int, int, int, str, dict[int, list[tuple[int, Fit]]]]] = [
    ("whole.jpg", 94, 95, 3, 1, "4:2:0", {1: [(24, "squash"), (24, "crop")]}),
    ("half.jpg", 130, 95, 3, 1, "4:2:0", {2: [(24, "squash"), (24, "crop")]}),
    ("quarter.jpg", 217, 189, 3, 1, "4:2:0", {4: [(24, "squash"), (24, "crop")], 8: [(12, "squash"), (12, "crop")]}),
    ("eighth.jpg", 301, 377, 3, 1, "4:2:0", {4: [(24, "crop")], 8: [(19, "crop"), (1, "squash")]}),
    ("turned.jpg", 246, 185, 3, 6, "4:4:4", {4: [(20, "squash"), (20, "crop")], 8: [(12, "squash"), (12, "crop")]}),
    ("gray.jpg", 193, 257, 1, 1, "4:4:4", {2: [(48, "squash"), (25, "crop")], 4: [(24, "crop")], 8: [(12, "squash")]}),
]

# name, width, height, profile, {denominator: [(size, fit), ...]}: JPEGs with a colour profile.
PROFILES: list[tuple[str, int, int, bytes, dict[int, list[tuple[int, Fit]]]]] = [
    ("display-p3.jpg", 101, 67, rgb_profile(DISPLAY_P3), {1: [(20, "squash"), (20, "crop")], 4: [(8, "squash")]}),
    ("adobe-rgb.jpg", 67, 101, rgb_profile(ADOBE_RGB, (2.19921875,)), {1: [(20, "squash")], 2: [(12, "crop")]}),
]

# width, height, size, denominator: when a JPEG is decoded at which scale. Written down by hand, for every language.
SCALES = [
    (1, 1, 1, 1),
    (2, 2, 1, 1),
    (3, 3, 1, 2),
    (4, 7, 1, 2),
    (7, 5, 1, 4),
    (8, 900, 1, 4),
    (9, 9, 1, 8),
    (65500, 1, 1, 1),
    (320, 240, 224, 1),
    (894, 894, 224, 1),
    (895, 895, 224, 2),
    (895, 4000, 224, 2),
    (4000, 894, 224, 1),
    (1788, 1788, 224, 2),
    (1789, 1789, 224, 4),
    (3576, 5000, 224, 4),
    (5000, 3577, 224, 8),
    (4032, 3024, 224, 4),
    (3024, 4032, 224, 4),
    (4032, 3024, 96, 8),
    (4032, 3024, 128, 8),
    (4032, 3024, 189, 8),
    (4032, 3024, 190, 4),
    (4032, 3024, 299, 4),
    (4032, 3024, 331, 4),
    (4032, 3024, 379, 2),
    (4032, 3024, 756, 2),
    (4032, 3024, 757, 1),
    (12000, 800, 224, 1),
    (65500, 1366, 224, 2),
]


def scene(rng: np.random.Generator, width: int, height: int, channels: int) -> np.ndarray:
    """uint8 [height, width, channels]: a smooth ground, hard edges at both ends of the range, noise."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    ground = np.stack([(x * (3 + c) + y * (5 - c) + 40 * c) % 256 for c in range(channels)], axis=2)
    ground[(x // 4 + y // 3) % 5 == 0] = 255
    ground[(x // 3 + y // 5) % 7 == 0] = 0
    noisy = ground + rng.integers(-20, 21, ground.shape)
    return noisy.clip(0, 255).astype(np.uint8)


def png(pixels: np.ndarray, *, colour: int, extra: list[tuple[bytes, bytes]] | None = None) -> bytes:
    """A PNG without filters, so that its bytes depend on no image library; uint16 samples become a 16-bit PNG."""
    height, width = pixels.shape[:2]
    depth = pixels.dtype.itemsize * 8
    rows = pixels.astype(pixels.dtype.newbyteorder(">")).reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    stored = b"\x78\x01"  # zlib with stored blocks: zlib's compressed bytes differ between its versions
    for start in range(0, len(raw), 65535):
        block = raw[start : start + 65535]
        stored += struct.pack("<BHH", start + 65535 >= len(raw), len(block), len(block) ^ 0xFFFF) + block
    stored += struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *(extra or []), (b"IDAT", stored), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def bmp(pixels: np.ndarray) -> bytes:
    """24-bit, bottom row first, rows padded to four bytes."""
    height, width = pixels.shape[:2]
    pad = b"\0" * (-3 * width % 4)
    body = b"".join(row[:, ::-1].tobytes() + pad for row in pixels[::-1])
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(body), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(body), 0, 0, 54) + info + body


def exif(orientation: int) -> tuple[bytes, bytes]:
    """An `eXIf` chunk with one tag, big-endian."""
    return b"eXIf", b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def soft(width: int, height: int, channels: int) -> np.ndarray:
    """uint8 [height, width, channels]: slopes and one hard edge, so that a small JPEG holds it well."""
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    photo = np.stack([abs((x * (3 + c) + y * (5 - 2 * c) + 90 * c) % 510 - 255) for c in range(channels)], axis=2)
    photo[height // 3 : height // 2, width // 3 : width // 2] = 255
    return photo.astype(np.uint8)


def jpeg(pixels: np.ndarray, orientation: int, subsampling: str, profile: bytes | None = None) -> bytes:
    tag = Image.Exif()
    tag[0x0112] = orientation
    file = io.BytesIO()
    image = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0])
    exif = tag.tobytes() if orientation != 1 else b""
    image.save(file, "JPEG", quality=60, subsampling=subsampling, exif=exif, icc_profile=profile)
    return file.getvalue()


def decoded_at(data: bytes, denominator: int, orientation: int) -> bytes:
    """What Pillow decodes at this scale, in sRGB, not yet upright, as a PNG: for those who have no libjpeg."""
    with Image.open(io.BytesIO(data)) as image:
        image.draft(None, (image.width // denominator, image.height // denominator))
        if profile := image.info.get("icc_profile"):
            source, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
            image = ImageCms.buildTransform(source, srgb, "RGB", "RGB", renderingIntent=intent).apply(image)
        pixels = np.array(image)
    extra = [exif(orientation)] if orientation != 1 else []
    return png(pixels, colour=2, extra=extra) if pixels.ndim == 3 else png(pixels[..., None], colour=0, extra=extra)


def inputs() -> dict[str, tuple[str, bytes, list[tuple[int, Fit]]]]:
    """name -> kind, file bytes, the (size, fit) pairs to make."""
    rng = np.random.default_rng(SEED)
    made: dict[str, tuple[str, bytes, list[tuple[int, Fit]]]] = {}
    for name, width, height, wanted in OPAQUE:
        pixels = scene(rng, width, height, 3)
        made[name] = ("opaque", bmp(pixels) if name.endswith("bmp") else png(pixels, colour=2), wanted)

    both: list[tuple[int, Fit]] = [(20, "squash"), (20, "crop")]
    made["gray.png"] = ("gray", png(scene(rng, 45, 33, 1), colour=0), both)
    deep = (scene(rng, 33, 45, 1).astype(np.uint16) << 8) | rng.integers(0, 256, (45, 33, 1)).astype(np.uint16)
    made["gray16.png"] = ("gray16", png(deep, colour=0), both)
    made["alpha.png"] = ("alpha", png(scene(rng, 40, 52, 4), colour=6), [*both, (64, "squash")])
    made["gray-alpha.png"] = ("alpha", png(scene(rng, 40, 31, 2), colour=4), both)
    colours = rng.integers(0, 256, (16, 3)).astype(np.uint8).tobytes()
    indices = rng.integers(0, 16, (28, 39, 1)).astype(np.uint8)
    made["palette.png"] = ("palette", png(indices, colour=3, extra=[(b"PLTE", colours)]), both)
    opacity = bytes([0, 255, 128, 1, 254, 77])  # the other ten entries are opaque
    extra = [(b"PLTE", colours), (b"tRNS", opacity)]
    made["palette-alpha.png"] = ("alpha", png(indices, colour=3, extra=extra), both)

    for orientation in range(1, 9):
        pixels = scene(rng, 30, 19, 3)
        made[f"exif-{orientation}.png"] = ("exif", png(pixels, colour=2, extra=[exif(orientation)]), both[:1])
    odd = scene(rng, 30, 19, 3)  # an odd margin: cropping before turning would give another square
    made["exif-3-crop.png"] = ("exif", png(odd, colour=2, extra=[exif(3)]), both[1:])
    return made


def make(folder: Path) -> None:
    """Write inputs, outputs, manifest.json and scales.tsv into the folder."""
    manifest: list[dict[str, str | int]] = []

    def add(name: str, kind: str, data: bytes, size: int, fit: Fit) -> dict[str, str | int]:
        pixels = load_pixels(data, size, fit).tobytes()
        output = f"{name}.{size}.{fit}.rgb"
        (folder / output).write_bytes(pixels)
        digest = hashlib.sha256(pixels).hexdigest()
        manifest.append({"input": name, "kind": kind, "size": size, "fit": fit, "output": output, "sha256": digest})
        return manifest[-1]

    for name, (kind, data, wanted) in inputs().items():
        (folder / name).write_bytes(data)
        for size, fit in wanted:
            add(name, kind, data, size, fit)
    jpegs = [
        (name, "jpeg", width, height, orientation, jpeg(soft(width, height, channels), orientation, sampling), scales)
        for name, width, height, channels, orientation, sampling, scales in JPEGS
    ] + [
        (name, "profile", width, height, 1, jpeg(soft(width, height, 3), 1, "4:4:4", profile), scales)
        for name, width, height, profile, scales in PROFILES
    ]
    for name, kind, width, height, orientation, data, scales in jpegs:
        (folder / name).write_bytes(data)
        for denominator, wanted in scales.items():
            decoded = f"{name}.{denominator}.png"
            (folder / decoded).write_bytes(decoded_at(data, denominator, orientation))
            for size, fit in wanted:
                entry = add(name, kind, data, size, fit)
                entry.update(width=width, height=height, denominator=denominator, decoded=decoded)
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    rows = [("width", "height", "size", "denominator"), *SCALES]
    (folder / "scales.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    make(HERE)
