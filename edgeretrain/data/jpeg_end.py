"""JPEGs without their end marker, as some camera boards write them: the last two bytes are missing, no pixels are."""

import hashlib
import io
import re
from typing import BinaryIO

from PIL import Image

_END = b"\xff\xd9"
_OTHER_BITS = b"\x5a\xc3" * 32
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""One that ends coded pixels: neither a stuffed zero, nor a restart, nor a fill byte."""
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_WITHOUT_LENGTH = (0x01, 0xD8, *range(0xD0, 0xD8))


def lacks_end_marker(content: bytes) -> bool:
    """Whether these are the bytes of a JPEG that ends without an end marker. It may be cut off further up, too."""
    if not content.startswith(b"\xff\xd8\xff"):
        return False
    if content.endswith(_END) or content.rstrip(b"\0").endswith(_END):
        return False
    place = 2
    while place + 4 <= len(content):
        if content[place] != 0xFF:
            return False  # damaged; the decoder says how
        code = content[place + 1]
        if code == _END_OF_IMAGE:
            return False
        if code == 0xFF or code in _WITHOUT_LENGTH:
            place += 1 if code == 0xFF else 2
            continue
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if code == _SCAN:
            found = _MARKER.search(content, place)
            if found is None:
                return True
            place = found.start()
    return True


def load_without_end(file: BinaryIO, denominator: int) -> Image.Image | None:
    """A JPEG that Pillow finds truncated, loaded with an end marker put behind it; None where pixels are missing.

    Whether they are is seen by what is put between: where the photo is whole, no decoder looks at it.

    Args:
        file: the JPEG, seekable.
        denominator: s of the scale 1/s to decode it at.
    """
    file.seek(0)
    content = file.read()
    padded = content.endswith(b"\0")
    content = content.rstrip(b"\0")
    if padded and content.endswith(b"\xff"):
        content += b"\0"  # a stuffed zero: it belongs to the pixels
    content = content.rstrip(b"\xff")
    if not lacks_end_marker(content):
        return None
    if _digest(content + _END) != _digest(content + _something_else(content) + _END):
        return None
    return _loaded(content + _END, denominator)


def _something_else(content: bytes) -> bytes:
    """Coded pixels that would show wherever some are missing; the restart marker that is due may be, too."""
    markers = _RESTART.findall(content)
    due = (markers[-1][1] - 0xD0 + 1) % 8 if markers else 0
    return _OTHER_BITS + bytes([0xFF, 0xD0 + due]) + _OTHER_BITS


def _digest(content: bytes) -> bytes:
    """Of the pixels of the whole photo: at a scale, some bits that are missing would not be seen."""
    return hashlib.sha256(_loaded(content, 1).tobytes()).digest()


def _loaded(content: bytes, denominator: int) -> Image.Image:
    image = Image.open(io.BytesIO(content), formats=("JPEG",))
    if denominator > 1:
        image.draft(None, (image.width // denominator, image.height // denominator))
    image.load()
    return image
