"""File names and file errors in the words of a message."""

import os

_JOINERS = "\u200c\u200d"  # not printable to Python, but part of many words and emoji


def printable(name: str | os.PathLike[str]) -> str:
    """The name as text that UTF-8 can hold: bytes of a file name that are not valid UTF-8 are written as \\xNN."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def open_failure(error: Exception) -> str:
    """The short reason for a file that cannot be opened or read, without its path."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    return "cannot be opened"


def one_line(text: str) -> str:
    """The text without control characters: a name can neither break a line nor disturb a terminal.

    They, and bytes of a file name that are not Unicode, are written as `\\x1b`, `\\u202e`, `\\udc80`. What comes from
    files, devices and networks passes here on its way to a terminal (`cli.console`).
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else ascii(c)[1:-1] for c in text)


def first_line(error: Exception) -> str:
    """The message of an exception: its first line, at most 200 characters."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    return line if len(line) <= 200 else f"{line[:200]}..."


def lines(text: str) -> str:
    """`one_line` for a text of several lines: line feeds stay."""
    return text if text.isprintable() else "\n".join(map(one_line, text.split("\n")))
