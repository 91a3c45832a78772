import math
import re
from typing import Any

import pytest

from edgeretrain.report.sweep_chart import BOTTOM, LEFT, RIGHT, TOP, line_path, scales
from edgeretrain.sweep.budget import Budget
from report.plain import pictures, title_of
from report.sweep_sample import make_sweep


def scale_of(ticks: Any) -> tuple[float, float]:
    """(place, figure) -> per unit, from the first and the last tick."""
    first, last = ticks[0], ticks[-1]
    return (last.at - first.at) / (float(last.text) - float(first.text)), first.at


@pytest.mark.parametrize(("cost", "key", "unit"), [("size", "bytes", 1e6), ("latency", "latency_ms", 1)])
def test_points_stand_where_the_ticks_say(cost: str, key: str, unit: float) -> None:
    sweep = make_sweep()
    picture = pictures(sweep)[cost]
    first, last = picture.xs[0], picture.xs[-1]
    per_decade = (last.at - first.at) / math.log10(float(last.text) / float(first.text))
    per_percent, bottom = scale_of(picture.ys)
    assert len(picture.dots) == len(sweep["candidates"])
    for dot in picture.dots:
        candidate = sweep["candidates"][dot.row]
        x = first.at + per_decade * math.log10(candidate[key] / unit / float(first.text))
        assert dot.x == pytest.approx(x, abs=0.2)
        y = bottom + per_percent * (100 * candidate["top1"] - float(picture.ys[0].text))
        assert dot.y == pytest.approx(y, abs=0.2)
        assert LEFT <= dot.x <= RIGHT
        whisker = re.fullmatch(r"M([\d.]+) ([\d.]+)V([\d.]+)(M[^V]*)?", dot.whisker)
        assert whisker is not None
        assert TOP <= float(whisker[2]) <= dot.y <= float(whisker[3]) <= BOTTOM


def test_the_picks_interval_shows_whole_and_no_end_is_drawn_where_another_one_is_cut() -> None:
    sweep = make_sweep(("mobilenet_v1_025_128", "mobilenet_v2_140_224"), ["int8"], latency=False)
    for candidate, interval in zip(sweep["candidates"], ([0.3, 0.99], [0.7, 0.95]), strict=True):
        candidate["interval"] = interval
    sweep["pick"] = {"preset": "mobilenet_v2_140_224", "precision": "int8", "reason": ""}
    picture = pictures(sweep)["size"]
    assert float(picture.ys[0].text) <= 70 < 95 <= float(picture.ys[-1].text)
    assert [dot.whisker.count("h8") for dot in picture.dots] == [1, 2]


def test_the_line_goes_through_the_front_and_nothing_stands_above_it() -> None:
    sweep = make_sweep()
    for cost, picture in pictures(sweep).items():
        on_front = {(dot.x, dot.y) for dot in picture.dots if sweep["candidates"][dot.row]["front"][cost]}
        start = re.match(r"M([\d.]+) ([\d.]+)", picture.line)
        assert start is not None
        corners = [(float(start[1]), float(start[2]))]
        corners += [(float(x), float(y)) for x, y in re.findall(r"H([\d.]+)V([\d.]+)", picture.line)]
        assert set(corners) == on_front
        assert corners == sorted(corners, key=lambda corner: (corner[0], -corner[1]))
        for dot in picture.dots:
            assert dot.y >= min(y for x, y in corners if x <= dot.x)


def test_no_front_no_line() -> None:
    assert line_path([]) == ""
    assert line_path([(1, 2)]) == "M1 2"


def test_budgets_are_lines_only_where_the_picture_reaches() -> None:
    near = pictures(make_sweep(budget=Budget(max_size=2_000_000, max_latency=5.0, min_accuracy=0.8)))
    two = next(tick.at for tick in near["size"].xs if tick.text == "2")
    assert near["size"].limit == pytest.approx(two, abs=0.1)
    assert near["latency"].limit is not None
    assert near["size"].asked == near["latency"].asked == next(t.at for t in near["size"].ys if t.text == "80")
    far = pictures(make_sweep(budget=Budget(max_size=1, max_latency=1e-6, min_accuracy=1.0)))
    assert all(picture.limit is picture.asked is None for picture in far.values())


@pytest.mark.parametrize("values", [[2.0], [2.0, 2.0001], [0.0004], [1.0], [300.0, 9000.0]])
@pytest.mark.parametrize("accuracies", [[0.0], [1.0], [0.5, 0.5], [0.2, 0.99]])
def test_any_models_have_a_scale(values: list[float], accuracies: list[float]) -> None:
    axes = scales(values, accuracies)
    assert axes.x_start <= min(values) <= max(values) <= axes.x_end
    assert axes.y_start <= 100 * min(accuracies) <= 100 * max(accuracies) <= axes.y_end <= 100
    assert len(axes.x_ticks) >= 2
    assert 2 <= len(axes.y_ticks) <= 10
    assert axes.x_start <= axes.x_ticks[0]
    assert axes.x_ticks[-1] <= axes.x_end


@pytest.mark.parametrize("font_size", [12, 14])
def test_names_cover_neither_points_nor_each_other(font_size: float) -> None:
    picture = pictures(make_sweep(), font_size)["size"]
    boxes = []
    for dot in picture.dots:
        if dot.name:
            assert dot.text_x is not None and dot.text_y is not None
            width = font_size / 2 * len(dot.name)
            left = dot.text_x - width if dot.anchor == "end" else dot.text_x
            boxes.append((left, dot.text_y - 0.75 * font_size, left + width, dot.text_y + 2))
    assert len(boxes) >= 3
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= LEFT
        for dot in picture.dots:
            assert not (left < dot.x < right and top < dot.y < bottom)
        for other in boxes[index + 1 :]:
            assert not (left < other[2] and other[0] < right and top < other[3] and other[1] < bottom)


def test_the_pick_has_a_name_off_the_front_too() -> None:
    sweep = make_sweep(("mobilenet_v1_100_224", "mobilenet_v2_100_224"))
    off = next(row for row, one in enumerate(sweep["candidates"]) if not any(one["front"].values()))
    sweep["pick"] = {**{key: sweep["candidates"][off][key] for key in ("preset", "precision")}, "reason": ""}
    assert all(picture.dots[off].name for picture in pictures(sweep).values())


def test_details_of_a_point() -> None:
    (candidate,) = make_sweep(["mobilenet_v2_100_224"], ["int8"])["candidates"]
    candidate.update(top1=80 / 91, interval=[0.796, 0.9311], latency_ms=4.2)
    candidate["latency"]["inference_ms"]["p90"] = 4.4
    assert title_of(candidate).splitlines() == [
        "mobilenet_v2_100_224 int8",
        "top-1 87.9 % (80 of 91 photos)",
        "95 % interval 79.6 to 93.1 %",
        f"{candidate['bytes']:,} bytes, 300.1 M MACs",
        "4.20 ms, p90 4.40",
        f"weakest class {candidate['weakest']['label']}, recall 75.0 %",
    ]
    candidate.update(latency_ms=None, latency=None, latency_error="killed", weakest=None)
    assert title_of(candidate).splitlines()[4:] == ["latency could not be measured"]


def test_details_hold_no_character_that_an_svg_cannot() -> None:
    (candidate,) = make_sweep(["mobilenet_v2_100_224"], ["int8"], labels=["a\x1b\nb", "c"] * 3)["candidates"]
    candidate["weakest"]["label"] = "a\x1b\nb"
    assert title_of(candidate).splitlines()[-1] == "weakest class a\\x1b\\nb, recall 75.0 %"
