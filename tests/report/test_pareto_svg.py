"""`pareto.svg`, as a file and as a browser draws it."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from edgeretrain.backbone.families import FAMILIES
from edgeretrain.errors import EdgeretrainError
from edgeretrain.sweep.budget import Budget
from report.browser import CHROMIUM, Browser
from report.plain import pictures, render_pareto_svg, write_pareto_svg
from report.sweep_sample import make_sweep

TWO = ("mobilenet_v2_100_224", "mobilenet_v2_035_128")
SVG = "{http://www.w3.org/2000/svg}"
ODD = "</style><script>alert(1)</script> & \" ' \x1b\x00 \ufffe {{ 7 * 7 }}"


def parts(svg: str, tag: str, kind: str) -> list[ElementTree.Element]:
    """The elements with this class."""
    found = ElementTree.fromstring(svg).iter(SVG + tag)
    return [element for element in found if kind in element.get("class", "").split()]


def test_every_model_in_both_pictures_with_its_details_and_the_same_marks_as_in_the_page() -> None:
    sweep = make_sweep(TWO, budget=Budget(max_size=3_000_000, min_accuracy=0.7))
    svg = render_pareto_svg(sweep)
    models = parts(svg, "g", "dot")
    assert len(models) == 2 * len(sweep["candidates"])
    assert len(parts(svg, "g", "pick")) == 2
    drawn = [model.find(f"{SVG}g").get("transform") for model in models]  # type: ignore[union-attr]
    expected = [f"translate({dot.x} {dot.y})" for picture in pictures(sweep).values() for dot in picture.dots]
    assert sorted(map(str, drawn)) == sorted(expected)
    titles = {model.findtext(f"{SVG}title", "").splitlines()[0] for model in models}
    assert titles == {f"{one['preset']} {one['precision']}" for one in sweep["candidates"]}
    assert len(parts(svg, "line", "limit")) == 1  # of size: its accuracies are all above 70 %


def test_heading_captions_and_legend() -> None:
    sweep = make_sweep([*TWO, "inception_v3"], ["int8", "float32"])
    text = " ".join(ElementTree.fromstring(render_pareto_svg(sweep)).itertext())
    assert "6 models on 91 test photos, pick: " in text
    assert "Top-1 against latency, ssh://pi@garden, 1 thread" in text
    for name in ("MobileNet V2", "Inception V3", "int8", "float32", "Pareto front"):
        assert name in text
    assert "MobileNet V1" not in text and "float16" not in text
    sweep["latency"]["where"] = "this machine"
    sweep["latency"]["environment"]["machine"] = "Raspberry Pi 4"
    assert "Top-1 against latency, Raspberry Pi 4, 1 thread" in render_pareto_svg(sweep)


def test_without_latency_and_without_a_pick() -> None:
    sweep = make_sweep(TWO, latency=False, budget=Budget(max_size=1000))
    svg = render_pareto_svg(sweep)
    assert "against latency" not in svg
    assert ">8 models on 91 test photos</text>" in svg
    assert len(parts(svg, "g", "pick")) == 1  # the nearest


def test_colours_are_plain_values_for_light_and_for_dark() -> None:
    svg = render_pareto_svg(make_sweep([*TWO, "nasnet_mobile"]))
    light, dark = svg.split("@media", 1)
    assert "var(" not in svg
    assert "prefers-color-scheme: dark" in dark
    for family in FAMILIES:
        used = family.name in ("mobilenet_v2", "nasnet_mobile")
        assert (family.light in svg) == (family.dark in dark) == used
    paper = [re.findall(r"\.paper \{ fill: (#\w+); \}", style) for style in (light, dark)]
    assert all(len(fills) == 1 for fills in paper) and paper[0] != paper[1]


def test_nothing_is_loaded_and_nothing_becomes_markup() -> None:
    sweep = make_sweep(TWO, labels=[ODD] * 5)
    before = [element.tag for element in ElementTree.fromstring(render_pareto_svg(make_sweep(TWO))).iter()]
    sweep["latency"]["where"] = ODD
    for candidate in sweep["candidates"]:
        candidate.update(architecture=ODD)
    svg = render_pareto_svg(sweep)
    after = ElementTree.fromstring(svg)  # well-formed, for all its control characters
    assert sorted(element.tag for element in after.iter()) == sorted(before)
    assert not re.search(r"href|url\(|@import|<image|<a ", svg)
    assert svg.count("http") == 1  # the name of the namespace


def test_the_file_is_the_same_each_time_and_none_is_written_without_models(tmp_path: Path) -> None:
    assert write_pareto_svg(make_sweep([]), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
    sweep = make_sweep(TWO)
    assert write_pareto_svg(sweep, tmp_path) == [tmp_path / "pareto.svg"]
    first = (tmp_path / "pareto.svg").read_bytes()
    write_pareto_svg(sweep, tmp_path)
    assert (tmp_path / "pareto.svg").read_bytes() == first
    with pytest.raises(EdgeretrainError, match=r"pareto\.svg: cannot be written"):
        write_pareto_svg(sweep, tmp_path / "missing")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_it_inside_its_frame_in_light_and_dark(tmp_path: Path, scheme: str) -> None:
    (path,) = write_pareto_svg(make_sweep(), tmp_path)
    browser = Browser(tmp_path / "profile")
    try:
        browser.scheme(scheme)
        browser.open(path)
        fill: Any = browser.run("getComputedStyle(document.querySelector('.paper')).fill")
        assert (int(fill[4:].split(",")[0]) > 128) == (scheme == "light")
        outside = browser.run(
            "(() => { const frame = document.documentElement.viewBox.baseVal;"
            "return [...document.querySelectorAll('text')].filter((text) => {"
            "const box = text.getBoundingClientRect();"
            "return box.left < 0 || box.top < 0 || box.right > frame.width || box.bottom > frame.height;"
            "}).map((text) => text.textContent); })()"
        )
        assert outside == []
    finally:
        browser.close()
