"""One photo -> uint8 [size, size, 3] RGB: the only preprocessing.

Training, evaluation, the classifier and the benchmark all call `load_pixels`: a model sees the same pixels everywhere.
Where several sizes of one photo are wanted, `load_pixels_at` gives the same pixels for fewer decodes.
docs/pixels.md states the arithmetic to the bit; tests/golden/pixels holds vectors for other implementations.
"""

import io
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import numpy.typing as npt
import PIL

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

from edgeretrain.data.colour_profile import to_srgb
from edgeretrain.data.deep_samples import colour_to_8_bits, declared_bits, gray_to_8_bits, is_deep_colour
from edgeretrain.data.jpeg_end import load_without_end
from edgeretrain.data.jpeg_scale import can_be_scaled, scale_denominator
from edgeretrain.data.photo_formats import DAMAGED, formats_for, why_not_identified
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.files.describe import open_failure, printable

Fit = Literal["squash", "crop"]
FITS: tuple[Fit, ...] = get_args(Fit)

Pixels = npt.NDArray[np.uint8]
"""A photo, or several: uint8 [..., height, width, 3], RGB, 0 to 255."""

PhotoSource = str | os.PathLike[str] | bytes | Image.Image | npt.NDArray[Any]

PIXELS_VERSION = 2
"""Raised with every change of docs/pixels.md's arithmetic: bottlenecks of other pixels are not taken from the cache."""

MAX_PIXELS = 89_478_485
"""Width x height above which a photo is refused: Pillow's own limit, 1 GiB / 4 / 3 pixels."""

_PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin, GifImagePlugin, BmpImagePlugin, TiffImagePlugin)
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
_RIGHT_COMES_FIRST = (2, 3, 7, 8)
"""EXIF orientations that turn the right side of the stored photo to the left, or to the top."""

_BOTTOM_COMES_FIRST = (3, 4, 6, 7)
"""EXIF orientations that turn the bottom of the stored photo to the top, or to the left."""

_LYING = (5, 6, 7, 8)
"""EXIF orientations with which width and height change places."""

_NO_PILLOW_WARNINGS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
"""The entry that `_silence_pillow` adds to `warnings.filters`."""


@dataclass(frozen=True)
class _Decoded:
    """A photo, upright, whole or at a scale.

    Attributes:
        image: RGB or L.
        denominator: s of the scale 1/s.
        box: left, top, right, bottom of the photo in the image, counted in pixels of the whole photo. A JPEG whose side
            is no multiple of s reaches only s-ths into its last column or row.
    """

    image: Image.Image
    denominator: int
    box: tuple[int, int, int, int]


def load_pixels(photo: PhotoSource, size: int, fit: Fit = "squash") -> Pixels:
    """Decode a photo, turn it upright, make it sRGB, fit it into a square, resize it with antialiasing.

    Safe to call from several threads; Pillow releases the GIL while it decodes and resizes.

    Args:
        photo: a path, the bytes of a file, a Pillow image, or uint8 [height, width, 3] RGB.
            Of several frames the first counts (of a Pillow image the current one).
            A large JPEG file is decoded at 1/2, 1/4 or 1/8 of its size (`scale_denominator`). A Pillow image keeps its
            size, even if it is a JPEG that Pillow has not decoded yet: its pixels must not depend on whether it was
            decoded before. For the pixels of a file, give its path or bytes.
        size: side of the result, pixels.
        fit: "squash" ignores the aspect ratio, "crop" keeps the centre square.

    Returns:
        uint8 [size, size, 3], RGB, 0 to 255.

    Raises:
        UnreadablePhoto: the photo cannot be decoded, or has more than MAX_PIXELS pixels.
        EdgeretrainError: the array has another shape or dtype; size or fit is not one of those above.
    """
    return load_pixels_at(photo, (size,), fit)[size]


def load_pixels_at(photo: PhotoSource, sizes: Iterable[int], fit: Fit = "squash") -> dict[int, Pixels]:
    """The same photo at several sizes, each identical to the result of `load_pixels`, with as few decodes as possible.

    A photo is opened once. Sizes at which a JPEG is decoded at the same scale share one decode; anything else is
    decoded once. One decoded photo is in memory at a time.

    Args:
        photo, fit: as in `load_pixels`.
        sizes: sides of the results, pixels; repeated ones count once.

    Returns:
        By size, in the order of `sizes`: uint8 [size, size, 3].

    Raises:
        UnreadablePhoto, EdgeretrainError: as `load_pixels`.
    """
    sizes = tuple(dict.fromkeys(sizes))
    for size in sizes:
        if size < 1:
            raise EdgeretrainError(f"The side of the pixels must be at least 1, not {size}.")
    if fit not in FITS:
        raise EdgeretrainError(f"There is no fit {fit!r}. Choose one of: {', '.join(FITS)}.")
    if isinstance(photo, np.ndarray):
        return _resized(_whole(_from_array(photo)), sizes, fit)
    if isinstance(photo, Image.Image):
        return _resized(_decode(photo, str(getattr(photo, "filename", "")) or "<image>"), sizes, fit)
    if not isinstance(photo, (str, os.PathLike, bytes, bytearray, memoryview)):
        raise EdgeretrainError(
            f"A photo is a path, bytes, a Pillow image or a NumPy array, not {type(photo).__name__}. Convert it first."
        )
    name, stream = _stream(photo)
    pixels: dict[int, Pixels] = {}
    with stream as file:
        while missing := [size for size in sizes if size not in pixels]:
            pixels |= _read_at_one_scale(file, name, missing, fit)
    return {size: pixels[size] for size in sizes}


def _read_at_one_scale(file: BinaryIO, name: str, sizes: Sequence[int], fit: Fit) -> dict[int, Pixels]:
    """Decode the photo once, for the first size and all others that are decoded at the same scale."""
    with _open(file, name) as opened:
        denominators = _denominators(opened, file, name, sizes)
        decoded = _decode(opened, name, denominators[0], file)
    shared = [size for size, denominator in zip(sizes, denominators, strict=True) if denominator == denominators[0]]
    return _resized(decoded, shared, fit)


def _denominators(opened: Image.Image, file: BinaryIO, name: str, sizes: Sequence[int]) -> list[int]:
    """For each size the s of the scale 1/s at which the photo is decoded for it."""
    if isinstance(opened, JpegImagePlugin.JpegImageFile):  # as an MPO is, too
        denominators = [scale_denominator(opened.width, opened.height, size) for size in sizes]
        try:
            if max(denominators) > 1 and can_be_scaled(file):
                return denominators
        except OSError as error:
            raise UnreadablePhoto(name, DAMAGED) from error
    return [1] * len(sizes)


def _resized(decoded: _Decoded, sizes: Sequence[int], fit: Fit) -> dict[int, Pixels]:
    """A decoded photo as uint8 [size, size, 3] for each size."""
    image, s = decoded.image, decoded.denominator
    left, top, right, bottom = decoded.box
    if fit == "crop":
        side = min(right - left, bottom - top)
        left, top = left + (right - left - side) // 2, top + (bottom - top - side) // 2
        right, bottom = left + side, top + side
        first_column, first_row = left // s, top // s
        image = image.crop((first_column, first_row, -(-right // s), -(-bottom // s)))
        left, right = left - first_column * s, right - first_column * s
        top, bottom = top - first_row * s, bottom - first_row * s
    return {size: _resize(image, size, (left / s, top / s, right / s, bottom / s)) for size in sizes}


def _resize(image: Image.Image, size: int, box: tuple[float, float, float, float]) -> Pixels:
    """The box, in samples of an RGB or L image, as uint8 [size, size, 3]."""
    left, top, right, bottom = box
    # One call for each pass: Pillow 13 runs the vertical one first when that is faster (its pull request 9549), and as
    # the passes round in between, the order shows in the last bit.
    image = image.resize((size, image.height), Image.Resampling.BILINEAR, (left, 0, right, image.height))
    image = image.resize((size, size), Image.Resampling.BILINEAR, (0, top, size, bottom))
    if image.mode == "L":  # a gray photo stays one channel until here: the same bits, a third of the work
        image = image.convert("RGB")
    return np.array(image)


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


def _silence_pillow() -> None:
    """Ignore the warnings that Pillow's own modules raise, about damaged EXIF data for example, from now on.

    What matters about a photo is in UnreadablePhoto. Python keeps one list of filters for the whole process, and
    `warnings.catch_warnings` swaps that list under the feet of other threads, so a filter that stays is the only safe
    way. It is set by the first photo that is decoded, not by the import, concerns Pillow's modules only, and is set
    again where a `catch_warnings` block has restored an older list.
    """
    if _NO_PILLOW_WARNINGS not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _stream(photo: str | os.PathLike[str] | bytes) -> tuple[str, AbstractContextManager[BinaryIO]]:
    if not isinstance(photo, (str, os.PathLike)):
        return "<bytes>", nullcontext(io.BytesIO(photo))
    name = printable(photo)
    try:
        return name, Path(photo).open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadablePhoto(name, open_failure(error)) from error


def _open(file: BinaryIO, name: str) -> Image.Image:
    """Read the header. The size is known afterwards, nothing is decoded."""
    _silence_pillow()
    try:
        formats, reason = formats_for(file, name)
        if reason is not None:
            raise UnreadablePhoto(name, reason)
        file.seek(0)
        image = Image.open(file, formats=formats)
    except UnreadablePhoto:
        raise
    except Image.DecompressionBombError as error:
        raise UnreadablePhoto(name, _TOO_LARGE) from error
    except UnidentifiedImageError as error:
        raise UnreadablePhoto(name, why_not_identified(file)) from error
    except Exception as error:  # plugins raise a dozen types on damaged headers
        raise UnreadablePhoto(name, DAMAGED) from error
    if image.width * image.height > MAX_PIXELS:
        raise UnreadablePhoto(name, _TOO_LARGE)
    return image


def _decode(image: Image.Image, name: str, denominator: int = 1, file: BinaryIO | None = None) -> _Decoded:
    """Decode a photo. Every decode passes here.

    Args:
        denominator: 1, or that of a scale at which a JPEG which is not yet decoded `can_be_scaled`.
        file: that the photo is opened from. None: it is an image of the caller's, taken as it is.
    """
    _silence_pillow()
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadablePhoto(name, _TOO_LARGE)
    if min(width, height) < 1:
        raise UnreadablePhoto(name, "no pixels")
    if denominator > 1:
        _ask_for_scale(image, denominator)
    try:
        deep = file is not None and is_deep_colour(image)
        declared = declared_bits(image) if deep or (file is not None and _is_deep_gray(image)) else None
        image = _loaded(image, denominator, file)
        if deep and file is not None:
            image = colour_to_8_bits(image, file, declared)
        orientation, profile = _orientation(image), image.info.get("icc_profile")
        image = to_srgb(_to_rgb(image, name, declared), profile)
        if orientation in _UPRIGHT:
            image = image.transpose(_UPRIGHT[orientation])
    except UnreadablePhoto:
        raise
    except MemoryError as error:
        raise UnreadablePhoto(name, "not enough memory to decode it") from error
    except Exception as error:  # decoders raise a dozen types on damaged data
        raise UnreadablePhoto(name, DAMAGED) from error
    if denominator == 1:
        return _whole(image)
    left = -width % denominator if orientation in _RIGHT_COMES_FIRST else 0
    top = -height % denominator if orientation in _BOTTOM_COMES_FIRST else 0
    if orientation in _LYING:
        left, top, width, height = top, left, height, width
    return _Decoded(image, denominator, (left, top, left + width, top + height))


def _loaded(image: Image.Image, denominator: int, file: BinaryIO | None) -> Image.Image:
    """The image with its pixels."""
    try:
        image.load()
    except OSError:
        if file is None or not isinstance(image, JpegImagePlugin.JpegImageFile):
            raise
        whole = load_without_end(file, denominator)
        if whole is None:
            raise
        return whole
    return image


def _whole(image: Image.Image) -> _Decoded:
    return _Decoded(image, 1, (0, 0, image.width, image.height))


def _ask_for_scale(image: Image.Image, denominator: int) -> None:
    """Have Pillow decode this JPEG at 1/denominator, sides rounded up; its mode stays."""
    width, height = image.size
    # `draft` takes a size and finds a scale itself: the largest of 8, 4, 2, 1 that neither width // asked width nor
    # height // asked height is below. With these sides both quotients are at least s and below 2 * s.
    image.draft(None, (width // denominator, height // denominator))
    if image.size != (-(-width // denominator), -(-height // denominator)):
        raise EdgeretrainError(
            f"Pillow {PIL.__version__} cannot decode a JPEG at the requested scale. Install another version of Pillow."
        )


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


def _is_deep_gray(image: Image.Image) -> bool:
    # Older Pillows open a 16-bit gray PNG as I.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def _to_rgb(image: Image.Image, name: str, declared: int | None) -> Image.Image:
    """RGB, or L for gray; alpha on white.

    Args:
        declared: see `declared_bits`.
    """
    mode = image.mode
    if _is_deep_gray(image):
        return gray_to_8_bits(image, declared)
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


def _from_array(photo: npt.NDArray[Any]) -> Image.Image:
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
        shape = ", ".join(str(side) for side in photo.shape)
        raise EdgeretrainError(
            f"A photo given as an array must be uint8 [height, width, 3], RGB; this one is {photo.dtype} [{shape}]. "
            "Convert it first."
        )
    return Image.fromarray(photo)
