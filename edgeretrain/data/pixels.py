"""One photo -> uint8 [size, size, 3] RGB: the only preprocessing there is.

Training, evaluation, the classifier and the benchmark all call `load_pixels`: a model sees the same pixels everywhere.
docs/pixels.md states the arithmetic to the bit; tests/golden/pixels holds vectors for other implementations.
"""

import io
import os
import warnings
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import numpy.typing as npt

# The plugins are imported by name: otherwise Pillow imports all of its forty when it meets the first WebP or bad file.
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from edgeretrain.errors import EdgeretrainError, UnreadablePhoto

Fit = Literal["squash", "crop"]
FITS: tuple[Fit, ...] = get_args(Fit)

PhotoSource = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]

PIXELS_VERSION = 1
"""Raised with every change of docs/pixels.md's arithmetic: bottlenecks of other pixels are not taken from the cache."""

MAX_PIXELS = 89_478_485
"""Width x height above which a photo is refused: Pillow's own limit, 1 GiB / 4 / 3 pixels."""

_PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin, GifImagePlugin, BmpImagePlugin, TiffImagePlugin)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
_MAGIC = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_UNKNOWN = "not a JPEG, PNG, WebP, GIF, BMP or TIFF file"
_DAMAGED = "truncated or damaged file"
_TOO_LARGE = f"more than {MAX_PIXELS:,} pixels"

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Everything worth telling about a photo is told by UnreadablePhoto. A filter set once, here, is the only way that is
# safe with threads: warnings.catch_warnings swaps the state of the whole process.
warnings.filterwarnings("ignore", module=r"PIL\.")


def load_pixels(photo: PhotoSource, size: int, fit: Fit = "squash") -> npt.NDArray[np.uint8]:
    """Decode a photo, turn it upright, make it RGB, fit it into a square, resize it with antialiasing.

    Safe to call from several threads; Pillow releases the GIL while it decodes and resizes.

    Args:
        photo: a path, the bytes of a file, a Pillow image, or uint8 [height, width, 3] RGB.
            Of several frames the first counts (of a Pillow image the current one).
        size: side of the result, pixels.
        fit: "squash" ignores the aspect ratio, "crop" keeps the centre square.

    Returns:
        uint8 [size, size, 3], RGB, 0 to 255.

    Raises:
        UnreadablePhoto: the photo cannot be decoded, or has more than MAX_PIXELS pixels.
        EdgeretrainError: the array has another shape or dtype; size or fit is not one of those above.
    """
    if size < 1:
        raise EdgeretrainError(f"The side of the pixels must be at least 1, not {size}.")
    if fit not in FITS:
        raise EdgeretrainError(f"There is no fit {fit!r}. Choose one of: {', '.join(FITS)}.")
    if isinstance(photo, np.ndarray):
        image = _from_array(photo)
    elif isinstance(photo, Image.Image):
        image = _decode(photo, str(getattr(photo, "filename", "")) or "<image>")
    elif isinstance(photo, (str, os.PathLike, bytes, bytearray, memoryview)):
        name, stream = _stream(photo)
        with stream as file, _open(file, name) as opened:
            image = _decode(opened, name)
    else:
        raise EdgeretrainError(
            f"A photo is a path, bytes, a Pillow image or a NumPy array, not {type(photo).__name__}. Convert it first."
        )
    if fit == "crop":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    # One call for each pass: Pillow 13 runs the vertical one first when that is faster (its pull request 9549), and as
    # the passes round in between, the order shows in the last bit.
    image = image.resize((size, image.height), Image.Resampling.BILINEAR)
    image = image.resize((size, size), Image.Resampling.BILINEAR)
    if image.mode == "L":  # a gray photo stays one channel until here: the same bits, a third of the work
        image = image.convert("RGB")
    return np.array(image)


def load_pixels_at(photo: PhotoSource, sizes: "Iterable[int]", fit: Fit = "squash") -> dict[int, npt.NDArray[np.uint8]]:
    return {size: load_pixels(photo, size, fit) for size in sizes}


def check_header(file: BinaryIO, name: str) -> None:
    """Refuse a photo whose first bytes already show that it cannot be read: cheap, decodes nothing.

    Args:
        file: the photo's bytes, seekable; left at an unknown position.
        name: stands in the error.

    Raises:
        UnreadablePhoto: an empty file, another format, a damaged header, or more than MAX_PIXELS pixels.
    """
    # Not closed: that would close the caller's file.
    _open(file, name)


def printable(name: str | os.PathLike[str]) -> str:
    """The name as text that UTF-8 can hold: bytes of a file name that are no Unicode are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _stream(photo: str | os.PathLike[str] | bytes) -> tuple[str, AbstractContextManager[BinaryIO]]:
    if not isinstance(photo, (str, os.PathLike)):
        return "<bytes>", nullcontext(io.BytesIO(photo))
    name = printable(photo)
    try:
        return name, Path(photo).open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadablePhoto(name, open_failure(error)) from error


def open_failure(error: Exception) -> str:
    """The short reason for a file that cannot be opened or read, without its path."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return "cannot be opened"


def _open(file: BinaryIO, name: str) -> Image.Image:
    """Read the header. The size is known afterwards, nothing is decoded."""
    try:
        head = file.read(12)
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError as error:
        raise UnreadablePhoto(name, _TOO_LARGE) from error
    except UnidentifiedImageError as error:
        known = head.startswith(_MAGIC) or (head.startswith(b"RIFF") and head.endswith(b"WEBP"))
        raise UnreadablePhoto(name, _DAMAGED if known else _UNKNOWN if head else "empty file") from error
    except Exception as error:  # plugins raise a dozen types on damaged headers
        raise UnreadablePhoto(name, _DAMAGED) from error
    if image.width * image.height > MAX_PIXELS:
        raise UnreadablePhoto(name, _TOO_LARGE)
    return image


def _decode(image: Image.Image, name: str) -> Image.Image:
    """Decoded, RGB or L, upright."""
    if image.width * image.height > MAX_PIXELS:
        raise UnreadablePhoto(name, _TOO_LARGE)
    if min(image.size) < 1:
        raise UnreadablePhoto(name, "no pixels")
    try:
        image.load()
        method = _UPRIGHT.get(_orientation(image))
        image = _to_rgb(image, name)
        return image if method is None else image.transpose(method)
    except UnreadablePhoto:
        raise
    except MemoryError as error:
        raise UnreadablePhoto(name, "not enough memory to decode it") from error
    except Exception as error:  # decoders raise a dozen types on damaged data
        raise UnreadablePhoto(name, _DAMAGED) from error


def _orientation(image: Image.Image) -> int:
    """EXIF tag 0x0112. Only EXIF counts: which XMP blocks Pillow looks at depends on its version."""
    data = image.info.get("exif")
    if not data or image.format == "TIFF":  # Pillow turns a TIFF upright while loading it
        return 1
    try:
        exif = Image.Exif()
        exif.load(data)
        value = exif.get(0x0112, 1)
        return value if isinstance(value, int) else 1
    except Exception:  # damaged EXIF; the photo itself is fine
        return 1


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """RGB, or L for gray; alpha on white."""
    mode = image.mode
    if mode.startswith("I;16") or (mode == "I" and image.format == "PNG"):  # older Pillows open a 16-bit gray PNG as I
        return _from_16_bit(image)
    if mode in ("I", "F"):
        raise UnreadablePhoto(name, f"32-bit gray (mode {mode}), which has no known range; save it with 8 bits")
    if mode == "La":
        image = image.convert("LA")
    if mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info or _palette_alpha(image):
        # Pillow pastes RGBA on RGB without another copy: mask and colours are both read from the photo.
        photo = image if mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, (255, 255, 255))
        image.paste(photo, (0, 0), photo)
        return image
    if mode in ("RGB", "L"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _palette_alpha(image: Image.Image) -> bool:
    return image.mode == "P" and image.palette is not None and image.palette.mode == "RGBA"


def _from_16_bit(image: Image.Image) -> Image.Image:
    """The high byte, as Pillow itself does with 16-bit colour; the value that a PNG declares transparent is white."""
    samples = np.asarray(image)
    gray = (samples >> 8).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        gray[samples == transparent] = 255
    return Image.fromarray(gray)


def _from_array(photo: npt.NDArray[Any]) -> Image.Image:
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
        shape = ", ".join(str(side) for side in photo.shape)
        raise EdgeretrainError(
            f"A photo given as an array must be uint8 [height, width, 3], RGB; this one is {photo.dtype} [{shape}]. "
            "Convert it first."
        )
    return Image.fromarray(photo)
