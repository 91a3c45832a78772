"""The page in a real browser: no errors, and the filter does what the page's hash says."""

import re
import shutil
import subprocess
from urllib.parse import urlencode

import pytest

from report.plain import render_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs chromium on PATH")

ODD = ["a & b=c <script>", "roses + tulips % \"'", "ורד 🌹"]


@pytest.fixture
def dump(tmp_path):
    """Render a report, open it at a hash, and return the page as it stands then; fail on any message of the console."""

    def run(report, **state):
        path = tmp_path / "report.html"
        path.write_text(render_page(report, {"daisy/0.jpg": b"no real JPEG"}), encoding="utf-8")
        command = [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
            "--virtual-time-budget=3000", "--dump-dom", path.as_uri() + ("#" + urlencode(state) if state else ""),
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, timeout=120, encoding="utf-8")
        assert "CONSOLE" not in result.stderr, [line for line in result.stderr.splitlines() if "CONSOLE" in line]
        assert "</html>" in result.stdout, result.stderr[-2000:]
        return result.stdout

    return run


def shown(dom):
    """Names of the photos whose cards are not hidden."""
    cards = re.findall(r'<li class="mistake"([^>]*)>.*?<p class="file" title="([^"]*)"', dom, re.DOTALL)
    return [title for attributes, title in cards if "hidden" not in attributes]


def output(dom):
    return re.search(r"<output[^>]*>([^<]*)</output>", dom)[1]


def test_without_a_hash_every_mistake_shows(dump, report):
    dom = dump(report)
    assert len(shown(dom)) == 5
    assert output(dom) == "5 photos"
    assert re.search(r"<form(?![^>]*hidden)", dom)


@pytest.mark.slow
def test_the_hash_filters_by_class_and_model(dump, report):
    dom = dump(report, **{"class": "daisy", "model": "int8"})
    assert shown(dom) == ["daisy/1.jpg"]
    assert output(dom) == "1 of 5 photos"


def test_the_hash_filters_by_predicted_class_of_that_model(dump, report):
    # dynamic takes roses/3.jpg for daisy, the others for tulips.
    assert sorted(shown(dump(report, predicted="daisy"))) == ["roses/3.jpg", "tulips/5.jpg"]
    assert shown(dump(report, predicted="daisy", model="int8")) == ["tulips/5.jpg"]


@pytest.mark.slow
def test_an_unknown_class_filters_nothing(dump, report):
    assert len(shown(dump(report, **{"class": "no such class"}))) == 5


def test_cells_of_the_matrix_link_to_their_photos(dump, report):
    assert 'href="#class=roses&amp;predicted=tulips&amp;model=int8"' in dump(report)


@pytest.mark.slow
def test_odd_labels_go_through_the_hash_unharmed(dump, make_report):
    made = make_report(ODD)
    dom = dump(made, **{"class": ODD[1], "predicted": ODD[2], "model": "int8"})
    assert output(dom) == "2 of 5 photos"
    assert urlencode({"class": ODD[1], "predicted": ODD[2], "model": "int8"}).replace("&", "&amp;") in dom
