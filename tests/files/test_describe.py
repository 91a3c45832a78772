import pytest

from edgeretrain.files.describe import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("daisy, Gänseblümchen, 雛菊 🌼", "daisy, Gänseblümchen, 雛菊 🌼"),
        ("👩\u200d🌾 می\u200cخواهم", "👩\u200d🌾 می\u200cخواهم"),
        ("a\nb\tc\x1b[31m", r"a\nb\tc\x1b[31m"),
        ("a\u202egpj.exe \udc80 \ufffe", r"a\u202egpj.exe \udc80 \ufffe"),
    ],
)
def test_nothing_breaks_a_line_or_disturbs_a_terminal(text: str, shown: str) -> None:
    assert one_line(text) == shown
