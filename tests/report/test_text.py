from edgeretrain.report.text import NONE, count, flat, megabytes, percent


def test_figures() -> None:
    assert (percent(0.9137), percent(None), percent(None, NONE)) == ("91.4", "-", "–")
    assert (megabytes(2_653_024), megabytes(12_834_678)) == ("2.65", "12.8")
    assert (count(1, "photo"), count(1000, "photo")) == ("1 photo", "1,000 photos")


def test_settings_are_flat_and_in_words() -> None:
    card = {"head": {"l2": 0.01, "steps": 40_000, "year": 2026}, "mirror": True, "none": None, "sizes": [96, 128]}
    assert flat(card) == [
        ("head.l2", "0.01"), ("head.steps", "40,000"), ("head.year", "2026"),
        ("mirror", "yes"), ("none", "–"), ("sizes", "96, 128"),
    ]  # fmt: skip
