"""The page of a sweep in a real browser: sorted, filtered, pointed at, walked through with the keyboard."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.sweep.budget import Budget
from report.browser import CHROMIUM, Browser
from report.plain import render_sweep_page
from report.sweep_sample import make_sweep

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on PATH")

PRESETS = ("mobilenet_v1_100_224", "mobilenet_v1_025_128", "mobilenet_v2_100_224", "mobilenet_v2_035_128")
FAILED = [{"preset": PRESETS[0], "precision": "int8", "stage": "latency", "reason": "the process was killed"}]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def sweep() -> dict[str, Any]:
    return make_sweep(PRESETS, budget=Budget(max_size=5_000_000), failed=FAILED)


@pytest.fixture
def page(browser: Browser, sweep: dict[str, Any], tmp_path: Path) -> Iterator[Path]:
    """The page's file, beside the reports that it leads to; it stands open. No message of the console is allowed."""
    for preset in PRESETS:
        (tmp_path / preset).mkdir()
        (tmp_path / preset / "report.html").write_text(f"<!DOCTYPE html><title>{preset}</title>", encoding="utf-8")
    path = tmp_path / "report.html"
    path.write_text(render_sweep_page(sweep), encoding="utf-8")
    browser.console.clear()
    browser.size(1280, 900)
    browser.open(path)
    yield path
    assert browser.console == []


def column(browser: Browser, key: str) -> list[str]:
    """The texts of a column, of the rows that show, from top to bottom."""
    texts = browser.run(
        f"(() => {{ const at = document.querySelector('.sweep [data-key={key}]').cellIndex;"
        "return [...document.querySelectorAll('.sweep tbody tr')].filter(row => row.getClientRects().length)"
        ".map(row => row.cells[at].textContent.trim()); })()"
    )
    assert isinstance(texts, list)
    return texts


def dots(browser: Browser) -> int:
    count = browser.run("[...document.querySelectorAll('.dot')].filter(dot => dot.getClientRects().length).length")
    assert isinstance(count, int)
    return count


def details(browser: Browser) -> str | None:
    text = browser.run(
        "document.getElementById('details').hidden ? null : document.getElementById('details').innerText"
    )
    assert text is None or isinstance(text, str)
    return text


def set_field(browser: Browser, name: str, value: str) -> None:
    browser.run(
        f"(() => {{ const field = document.querySelector('form').elements[{json.dumps(name)}];"
        f"field.value = {json.dumps(value)}; field.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
    )


def test_a_click_on_a_heading_sorts_and_a_second_one_turns_it(
    browser: Browser, page: Path, sweep: dict[str, Any]
) -> None:
    before = column(browser, "bytes")
    assert before == [f"{one['bytes']:,}" for one in sweep["candidates"]]
    for clicks, state in ((1, "ascending"), (2, "descending")):
        browser.click(".sweep [data-key=bytes] button")
        sizes = [int(text.replace(",", "")) for text in column(browser, "bytes")]
        assert sizes == sorted(sizes, reverse=clicks == 2)
        assert browser.run("document.querySelector('.sweep [data-key=bytes]').getAttribute('aria-sort')") == state
        assert browser.run("document.querySelectorAll('[aria-sort]').length") == 1
    browser.click(".sweep [data-key=bytes] button")
    assert column(browser, "bytes") == before
    assert browser.run("document.querySelectorAll('[aria-sort]').length") == 0


def test_the_most_accurate_come_first_and_missing_latencies_last_either_way(browser: Browser, page: Path) -> None:
    browser.click(".sweep [data-key=top1] button")
    shares = [float(text) for text in column(browser, "top1")]
    assert shares == sorted(shares, reverse=True)
    for _ in range(2):
        browser.click(".sweep [data-key=latency] button")
        assert column(browser, "latency")[-1] == "failed"


def test_headings_are_reached_and_sorted_with_the_keyboard(browser: Browser, page: Path) -> None:
    browser.run("document.querySelector('.sweep [data-key=name] button').focus()")
    browser.press("Tab")
    browser.press("Enter")
    assert browser.run("document.activeElement.closest('th').dataset.key") == "precision"
    assert column(browser, "precision") == sorted(column(browser, "precision"))


def test_filters_by_family_precision_name_and_front(browser: Browser, page: Path, sweep: dict[str, Any]) -> None:
    assert (len(column(browser, "name")), dots(browser)) == (16, 16 + 15)
    set_field(browser, "family", "mobilenet_v2")
    assert set(column(browser, "name")) == {PRESETS[2], PRESETS[3]}
    assert dots(browser) == 16
    set_field(browser, "precision", "int8")
    assert column(browser, "precision") == ["int8", "int8"]
    assert browser.run("document.querySelector('output').textContent") == "2 of 16 models"
    set_field(browser, "name", "v2_100 INT")
    assert column(browser, "name") == [PRESETS[2]]
    browser.click("form a")
    assert len(column(browser, "name")) == 16
    set_field(browser, "show", "front")
    front = [one["preset"] for one in sweep["candidates"] if any(one["front"].values())]
    assert column(browser, "name") == front
    set_field(browser, "show", "fits")
    assert column(browser, "name") == [one["preset"] for one in sweep["candidates"] if not one["misses"]]


def test_the_hash_keeps_filter_and_order(browser: Browser, page: Path) -> None:
    set_field(browser, "precision", "float16")
    browser.click(".sweep [data-key=bytes] button")
    state = browser.run("location.hash")
    assert state == "#precision=float16&sort=bytes"
    shown = column(browser, "bytes")
    browser.open(page, state[1:])
    assert (column(browser, "bytes"), set(column(browser, "precision"))) == (shown, {"float16"})
    browser.open(page, "family=no-such-family&sort=nothing")
    assert len(column(browser, "name")) == 16


def test_the_line_follows_the_filter(browser: Browser, page: Path) -> None:
    whole = browser.run("document.querySelector('.scatter .front').getAttribute('d')")
    set_field(browser, "precision", "float32")
    assert browser.run("document.querySelector('.scatter .front').getAttribute('d')") != whole
    set_field(browser, "precision", "")
    assert browser.run("document.querySelector('.scatter .front').getAttribute('d')") == whole


def test_pointing_at_a_model_tells_its_details(browser: Browser, page: Path, sweep: dict[str, Any]) -> None:
    assert details(browser) is None
    row = next(row for row, one in enumerate(sweep["candidates"]) if one["preset"] == PRESETS[3])
    browser.hover(f".dot[data-row='{row}'] .mark")
    text = details(browser)
    assert text is not None
    one = sweep["candidates"][row]
    assert text.startswith(f"{one['preset']} {one['precision']}\ntop-1 {100 * one['top1']:.1f} %")
    assert f"{one['bytes']:,} bytes" in text
    assert browser.run("document.querySelectorAll('.dot.on').length") == 2  # in both pictures
    browser.hover("h1")
    assert details(browser) is None


def test_a_click_on_a_point_opens_the_models_report(browser: Browser, page: Path) -> None:
    browser.click(".dot[data-row='4'] .mark")
    browser.wait(f"document.title === {json.dumps(PRESETS[1])}")
    browser.open(page)
    browser.click(".sweep tbody tr:last-child a")
    browser.wait(f"document.title === {json.dumps(PRESETS[3])}")


def test_the_keyboard_walks_from_point_to_point(browser: Browser, page: Path) -> None:
    assert browser.run("document.querySelectorAll('.dot[tabindex=\"0\"]').length") == 2  # one stop in each picture
    browser.run("document.querySelector('.dot[tabindex=\"0\"]').focus()")
    first = details(browser)
    browser.press("ArrowRight")
    second = details(browser)
    assert first and second and first != second
    browser.press("ArrowLeft")
    assert details(browser) == first
    label = browser.run("document.activeElement.getAttribute('aria-label')")
    assert label == ", ".join(first.split("\nin the same place")[0].split("\n"))
    browser.press("Enter")
    browser.wait("document.title.startsWith('mobilenet_')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser: Browser, page: Path, scheme: str) -> None:
    browser.scheme(scheme)
    paper = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (int(paper[4:].split(",")[0]) > 128) == (scheme == "light")
    browser.scheme("light")


def test_on_a_phone_nothing_but_the_tables_is_wider_than_the_window(browser: Browser, page: Path) -> None:
    browser.size(390, 844, mobile=True)
    browser.open(page)
    assert browser.run("document.documentElement.scrollWidth") == 390


def test_print_holds_all_rows_and_no_controls(browser: Browser, page: Path) -> None:
    line = "document.querySelector('.scatter .front').getAttribute('d')"
    whole = browser.run(line)
    set_field(browser, "precision", "int8")
    filtered = browser.run(line)
    browser.run(f"addEventListener('beforeprint', () => window.printed = {line})")
    browser.print(page.with_name("page.pdf"))
    assert page.with_name("page.pdf").read_bytes().startswith(b"%PDF")
    assert browser.run("window.printed") == whole != browser.run(line) == filtered
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert len(column(browser, "name")) == 16
    assert browser.run("document.querySelector('form').getClientRects().length") == 0
    assert dots(browser) == 31
    browser.send("Emulation.setEmulatedMedia", media="")
    assert len(column(browser, "name")) == 4


def test_without_javascript_pictures_and_table_are_there(browser: Browser, page: Path) -> None:
    browser.send("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(page)
    browser.send("Emulation.setScriptExecutionDisabled", value=False)
    assert len(column(browser, "name")) == 16
    assert dots(browser) == 31
    assert browser.run("document.querySelector('form').getClientRects().length") == 0
    assert browser.run("document.querySelector('.dot title').textContent").startswith(PRESETS[0])


def test_nothing_made(browser: Browser, page: Path) -> None:
    page.write_text(render_sweep_page(make_sweep([], latency=False)), encoding="utf-8")
    browser.open(page)
    assert "No model was made." in browser.run("document.body.innerText")
