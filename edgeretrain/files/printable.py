"""Names and labels as text that can go to a terminal or into a picture."""

_JOINERS = "\u200c\u200d"  # not printable to Python, but part of many words and emoji


def one_line(text: str) -> str:
    """The text without control characters: a name can neither break a line nor disturb a terminal.

    They, and bytes of a file name that are no Unicode, are written as `\\x1b`, `\\u202e`, `\\udc80`.
    """
    return "".join(c if c.isprintable() or c in _JOINERS else ascii(c)[1:-1] for c in text)
