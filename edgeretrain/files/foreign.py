"""What lies under the name of a photo or a network and is neither: told by its first bytes."""

from dataclasses import dataclass

HEAD_BYTES = 64
"""So many of a file's first bytes are enough for `foreign_file`."""

_WEB_PAGES = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"<!--")


@dataclass(frozen=True)
class ForeignFile:
    """Attributes: what: `a web page`, for a message. advice: what to do, a sentence without its full stop."""

    what: str
    advice: str


_STARTS = (
    (b"version https://git-lfs", ForeignFile("a Git LFS pointer", "Fetch the file itself with `git lfs pull`")),
    (b"\x1f\x8b", ForeignFile("compressed by gzip", "Unpack it with gunzip")),
    (b"%PDF", ForeignFile("a PDF document", "Give the file itself")),
)
_WEB_PAGE = ForeignFile("a web page", "Download the file itself")
_DRAWING = ForeignFile("an SVG drawing", "Save it as a JPEG or PNG")


def foreign_file(head: bytes) -> ForeignFile | None:
    """A Git LFS pointer, a web page, a drawing, a gzip file or a PDF document; None: it is something else.

    Args:
        head: the first HEAD_BYTES of a file, or all of it.
    """
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<svg"):
        return _DRAWING
    return _WEB_PAGE if text.startswith(_WEB_PAGES) else None
