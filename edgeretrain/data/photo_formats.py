"""Which formats of photos are read, and the names of those that are not. The bytes decide, not the file's name."""

import struct
from functools import cache
from pathlib import PurePath
from typing import BinaryIO

from edgeretrain.files.foreign import HEAD_BYTES, foreign_file

READ = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Pillow's names of the formats that are always read."""

RAW_EXTENSIONS = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dng", ".erf", ".iiq", ".kdc", ".mrw", ".nef", ".nrw", ".orf", ".pef"}
    | {".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
"""Of the raw files of cameras, in lower case. Many are TIFF files whose first picture is a thumbnail."""

HEIC = (
    'a HEIC photo. Run pip install "edgeretrain[heif]", or save it as JPEG (iPhone: Settings, Camera, Formats, Most '
    "Compatible)"
)
AVIF = "an AVIF photo, which this Pillow does not read. Install Pillow 11.3 or newer, or save it as JPEG"
RAW = "a raw file of a camera. Save it as JPEG"
JPEG_XL = "a JPEG XL photo. Save it as JPEG"
JPEG_2000 = "a JPEG 2000 photo. Save it as JPEG"
PHOTOSHOP = "a Photoshop document. Save it as JPEG"
UNSUPPORTED = (HEIC, AVIF, RAW, JPEG_XL, JPEG_2000, PHOTOSHOP)
"""The reasons for photos in a format that is not read here."""

UNKNOWN = "not a JPEG, PNG, WebP, GIF, BMP or TIFF file"
DAMAGED = "truncated or damaged file"

_TIFF = (b"II*\0", b"MM\0*")
_BIG_TIFF = (b"II+\0", b"MM\0+")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", *_TIFF, *_BIG_TIFF)
_RAW_STARTS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_VIDEO_BRANDS = frozenset({b"qt  ", b"isom", b"iso2", b"mp41", b"mp42", b"M4V ", b"3gp4", b"3gp5", b"avc1"})

_BITS_PER_SAMPLE, _SAMPLE_FORMAT, _DNG_VERSION = 258, 339, 50706


def looks_like_photo(head: bytes) -> bool:
    """Whether a file begins as a photo does, in a format that is read or that is named here."""
    return _is_read(head) or _container(head) in UNSUPPORTED or head.startswith(_RAW_STARTS)


def formats_for(file: BinaryIO, name: str) -> tuple[tuple[str, ...], str | None]:
    """Pillow's names of the formats to try on a file, or the reason why there are none.

    Args:
        file: a photo's bytes, seekable; left at an unknown position.
        name: of the file; its ending tells a raw file from an ordinary TIFF.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if not head:
        return (), "empty file"
    if (reason := _container(head)) is not None:
        if reason == AVIF and _avif_is_read():
            return ("AVIF",), None
        if reason == HEIC and _heif_is_read():
            return ("HEIF",), None
        return (), reason
    if head.startswith(_RAW_STARTS) or _is_raw_tiff(file, head, name):
        return (), RAW
    return READ, None


def why_not_identified(file: BinaryIO) -> str:
    """The reason for a file that Pillow does not take for any of the formats that it was to try.

    Args:
        file: its bytes, seekable; left at an unknown position.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head.startswith(_TIFF):
        return _unread_tiff(_tiff_tags(file))
    if _is_read(head) or _container(head) is not None:
        return DAMAGED
    if (found := foreign_file(head)) is not None:
        return f"{found.what}, not a photo. {found.advice}"
    return UNKNOWN


def _is_read(head: bytes) -> bool:
    return head.startswith(_MAGIC) or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")


def _container(head: bytes) -> str | None:
    """The reason for a format that Pillow's six do not cover; None where these bytes tell of none."""
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL ")):
        return JPEG_XL
    if head.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")):
        return JPEG_2000
    if head.startswith(b"8BPS"):
        return PHOTOSHOP
    if head[4:8] != b"ftyp":
        return None
    length = min(int.from_bytes(head[:4], "big"), len(head))
    brands = {head[8:12], *(head[start : start + 4] for start in range(16, length - 3, 4))}
    if head[8:12] in _VIDEO_BRANDS:
        return "a video, not a photo"
    if brands & _AVIF_BRANDS:
        return AVIF
    if brands & _HEIC_BRANDS or head[8:12] in (b"mif1", b"msf1"):
        return HEIC
    return RAW if b"crx " in brands else None


def _is_raw_tiff(file: BinaryIO, head: bytes, name: str) -> bool:
    if not head.startswith((*_TIFF, *_BIG_TIFF)):
        return False
    if PurePath(name).suffix.lower() in RAW_EXTENSIONS or head[8:10] == b"CR":
        return True
    return head.startswith(_TIFF) and _DNG_VERSION in _tiff_tags(file)


def _tiff_tags(file: BinaryIO) -> dict[int, int]:
    """The first directory of a TIFF: the first short number of each tag. Empty where it cannot be read."""
    try:
        file.seek(0)
        order = "<" if file.read(2) == b"II" else ">"
        _, start = struct.unpack(f"{order}HI", file.read(6))
        file.seek(start)
        (count,) = struct.unpack(f"{order}H", file.read(2))
        tags = {}
        for number in range(count):
            file.seek(start + 2 + 12 * number)
            tag, kind, length, value = struct.unpack(f"{order}HHI4s", file.read(12))
            if kind == 3 and length > 2:  # short numbers that lie elsewhere
                file.seek(*struct.unpack(f"{order}I", value))
                value = file.read(2)
            tags[tag] = struct.unpack(f"{order}H", value[:2])[0]
        return tags
    except (OSError, struct.error, OverflowError):
        return {}


def _unread_tiff(tags: dict[int, int]) -> str:
    bits = tags.get(_BITS_PER_SAMPLE, 1)
    if tags.get(_SAMPLE_FORMAT) == 3:
        return f"a TIFF of floating-point numbers ({bits} bits), which have no known range. Save it with 8 bits"
    if tags.get(_SAMPLE_FORMAT) == 2:
        return f"a TIFF of signed numbers ({bits} bits), which have no known range. Save it with 8 bits"
    if bits > 16:
        return f"a TIFF with {bits} bits per sample, which has no known range. Save it with 8 bits"
    return DAMAGED


@cache
def _avif_is_read() -> bool:
    try:
        from PIL import AvifImagePlugin
    except ImportError:  # Pillow up to 11.2
        return False
    return AvifImagePlugin.SUPPORTED


@cache
def _heif_is_read() -> bool:
    """Whether pillow-heif is installed; it takes part from the first such photo on."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
