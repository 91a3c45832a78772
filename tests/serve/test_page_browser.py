"""The page in a real browser, with a folder as camera: what issue 4 asks to be seen.

EDGERETRAIN_SCREENSHOTS=FOLDER keeps a picture of the page in each size and scheme, to be looked at.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from report.browser import CHROMIUM, Browser
from support.garden import encoded, put, texture

from edgeretrain.classifier import Classifier
from edgeretrain.data.pixels import Pixels
from edgeretrain.stream.folder_camera import FolderCamera
from edgeretrain.stream.sources import CameraLost
from serve.served import TOKEN, Page, served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on PATH")

PHONE, DESKTOP = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def camera_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of two classes, larger than the model's input, as a camera gives them: five of one, five of the other."""
    folder = tmp_path_factory.mktemp("camera")
    for label in ("checks", "stripes"):
        large = Image.fromarray(texture(label, 60)).resize((640, 480), Image.Resampling.NEAREST)
        for number in range(5):
            large.save(put(folder / f"{label}-{number}.jpg", b""))
    return folder


class PulledFolder(FolderCamera):
    """A folder as a camera that can be pulled out."""

    pulled = False

    def read(self) -> Pixels:
        if self.pulled:
            raise CameraLost("pulled out")
        return super().read()


@pytest.fixture(scope="module")
def camera(camera_folder: Path) -> PulledFolder:
    return PulledFolder(camera_folder, fps=5)


@pytest.fixture(scope="module")
def room(
    classifier: Classifier, camera: PulledFolder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Page, Path]]:
    photos = tmp_path_factory.mktemp("saved")
    with served(classifier, token=TOKEN, photos=photos, host="0.0.0.0", device=camera) as page:
        yield page, photos


@pytest.fixture
def page(room: tuple[Page, Path], browser: Browser) -> Iterator[Browser]:
    """The page, opened with its token, showing a frame; no message in the console may come of the test."""
    browser.size(*DESKTOP)
    browser.console.clear()
    visit(browser, room[0], f"/?token={TOKEN}")
    browser.wait("document.querySelector('#frame').naturalWidth > 0")
    yield browser
    # Chromium itself logs every answer of 400 and more; the page deals with those.
    messages = [message for message in browser.console if "the server responded with a status of" not in message]
    assert not messages


def visit(browser: Browser, page: Page, path: str) -> None:
    browser.visit(f"http://127.0.0.1:{page.port}{path}")


def text(browser: Browser, selector: str) -> str:
    return str(browser.run(f"document.querySelector({json.dumps(selector)}).innerText"))


def choose_file(browser: Browser, selector: str, path: Path) -> None:
    root = browser.send("DOM.getDocument")["root"]["nodeId"]
    node = browser.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
    browser.send("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


def shoot(browser: Browser, name: str) -> None:
    if "EDGERETRAIN_SCREENSHOTS" not in os.environ:
        return
    for scheme in ("light", "dark"):
        for size, (width, height) in (("phone", PHONE), ("desktop", DESKTOP)):
            browser.scheme(scheme)
            browser.size(width, height, 2 if size == "phone" else 1, size == "phone")
            browser.run("new Promise(done => setTimeout(done, 300))")
            browser.screenshot(Path(os.environ["EDGERETRAIN_SCREENSHOTS"]) / f"{name}-{size}-{scheme}.png", whole=True)
    browser.scheme("light")
    browser.size(*DESKTOP)


def bars(browser: Browser, selector: str = "#bars") -> dict[str, tuple[str, float]]:
    """Label -> what is written beside it, and the length of its bar."""
    found: list[Any] = browser.run(
        f"[...document.querySelectorAll('{selector} li')].map(one =>"
        "[one.firstChild.textContent, one.lastChild.textContent, Number(one.style.getPropertyValue('--v'))])"
    )
    return {label: (written, length) for label, written, length in found}


def test_bars_move_and_the_label_follows(page: Browser) -> None:
    leaders = set()
    for label in ("checks", "stripes", "checks"):
        page.wait(f"document.querySelector('#label').innerText === '{label}'")
        shown = bars(page)
        assert list(shown) == ["checks", "dots", "stripes"]
        for written, length in shown.values():
            assert written == f"{100 * length:.1f} %"
        leaders.add(max(shown, key=lambda name: shown[name][1]))
    assert leaders <= {"checks", "stripes"}
    before = page.run("document.querySelector('#frame').src")
    page.wait(f"document.querySelector('#frame').src !== {json.dumps(before)}")
    assert "frames a second" in text(page, "#speed")
    lines = page.run("[...document.querySelectorAll('#history li bdi')].map(one => one.textContent)")
    assert lines[0] != lines[1] and {"checks", "stripes"} <= set(lines)
    assert page.run("document.querySelector('#label').closest('[aria-live]').getAttribute('aria-live')") == "polite"


def test_the_token_is_gone_from_the_address_and_a_reload_still_works(page: Browser, room: tuple[Page, Path]) -> None:
    assert page.run("location.href") == f"http://127.0.0.1:{room[0].port}/"
    assert page.run("document.cookie") == ""  # no script can read it
    visit(page, room[0], "/")
    page.wait("document.querySelector('#frame').naturalWidth > 0")


def test_a_photo_is_uploaded_and_shown_with_its_bars(page: Browser, tmp_path: Path, classifier: Classifier) -> None:
    content = encoded(texture("dots", 70))
    choose_file(page, "#choose", put(tmp_path / "of mine.jpg", content))
    page.wait("!document.querySelector('#photo').hidden && document.querySelector('#photo-picture').naturalWidth > 0")
    best = classifier(content)[0]
    assert text(page, "#photo-label") == best.label == "dots"
    assert bars(page, "#photo-bars")["dots"][0] == f"{100 * best.score:.1f} %"
    shoot(page, "uploaded")


def test_a_damaged_and_a_huge_photo_are_told(page: Browser, tmp_path: Path) -> None:
    choose_file(page, "#take", put(tmp_path / "damaged.jpg", encoded(texture("dots", 71))[:200]))
    page.wait("!document.querySelector('#photo-problem').hidden")
    assert "truncated or damaged file" in text(page, "#photo-problem")
    shoot(page, "damaged")
    with (tmp_path / "huge.jpg").open("wb") as huge:
        huge.truncate(20_000_001)
    choose_file(page, "#choose", tmp_path / "huge.jpg")
    page.wait("document.querySelector('#photo-problem').innerText.includes('larger than 20 MB')")
    assert page.run("document.querySelector('#photo').hidden")
    choose_file(page, "#choose", put(tmp_path / "good.jpg", encoded(texture("dots", 72))))
    page.wait("!document.querySelector('#photo').hidden && document.querySelector('#photo-problem').hidden")


def test_the_frame_that_is_seen_is_saved_into_a_class_folder(
    page: Browser, room: tuple[Page, Path], camera_folder: Path
) -> None:
    photos = room[1]
    page.run("document.querySelector('#class').value = 'stripes'")
    page.wait("document.querySelector('#label').innerText === 'stripes'")
    page.click("#save-frame")
    page.wait("document.querySelector('#saved').innerText === 'Saved as stripes: 1 there now.'")
    (saved,) = (photos / "stripes").iterdir()
    with Image.open(saved) as image:
        assert (image.format, image.size) == ("JPEG", (640, 480))
    assert text(page, "#class option:checked") == "stripes (1)"
    shoot(page, "saved")


def test_a_new_class_is_made_and_a_bad_name_is_told(page: Browser, room: tuple[Page, Path], tmp_path: Path) -> None:
    photos = room[1]
    content = encoded(texture("dots", 73), "PNG")
    choose_file(page, "#choose", put(tmp_path / "mine.png", content))
    page.wait("!document.querySelector('#save-photo').hidden")
    page.run(
        "(() => { const list = document.querySelector('#class'); list.selectedIndex = list.options.length - 1;"
        "list.dispatchEvent(new Event('change')); })()"
    )
    for name, says in (("../roses", "cannot be the name of a class"), ("Stripes", "differs from it only in case")):
        page.run(f"document.querySelector('#name').value = {json.dumps(name)}")
        page.click("#save-photo")
        page.wait(f"document.querySelector('#photo-save-problem').innerText.includes('{says}')")
    page.run("document.querySelector('#name').value = 'rosé & co'")
    page.click("#save-photo")
    page.wait("document.querySelector('#photo-saved').innerText.startsWith('Saved as rosé & co: 1')")
    (saved,) = (photos / "rosé & co").iterdir()
    assert saved.read_bytes() == content
    assert saved.suffix == ".png"
    assert page.run("document.querySelector('#class').value") == "rosé & co"  # the next one goes there too


def test_a_lost_camera_and_its_return_are_shown(page: Browser, camera: PulledFolder) -> None:
    assert page.run("document.querySelector('#problem').hidden")
    camera.pulled = True
    try:
        page.wait("document.querySelector('#problem').innerText.includes('pulled out')")
        shoot(page, "lost")
    finally:
        camera.pulled = False
    before = page.run("document.querySelector('#frame').src")
    page.wait(f"document.querySelector('#problem').hidden && document.querySelector('#frame').src !== '{before}'")


def test_a_wrong_token_is_refused(browser: Browser, room: tuple[Page, Path]) -> None:
    visit(browser, room[0], "/?token=not-the-right-one")
    assert "This token is wrong." in text(browser, "body")
    assert browser.run("document.querySelector('main')") is None
    shoot(browser, "wrong")
    browser.send("Network.clearBrowserCookies")
    visit(browser, room[0], "/")
    assert "needs the token" in text(browser, "body")
    browser.run(f"document.querySelector('input').value = '{TOKEN}'")
    browser.click("button")  # the form leads in
    browser.wait("document.querySelector('#frame')?.naturalWidth > 0")


@pytest.mark.parametrize("size", [PHONE, DESKTOP, (320, 568)])
def test_it_fits_and_can_be_touched(page: Browser, size: tuple[int, int]) -> None:
    page.size(*size, mobile=size != DESKTOP)
    page.wait("document.querySelectorAll('#bars li').length === 3")
    assert page.run("document.documentElement.scrollWidth") <= size[0]
    small = page.run(
        "[...document.querySelectorAll('button, .button, select, #name')]"
        ".filter(one => one.getClientRects().length && one.getBoundingClientRect().height < 44).map(one => one.id)"
    )
    assert small == []
    unnamed = page.run(
        "[...document.querySelectorAll('input, select')].filter(one => !one.labels.length).map(one => one.id)"
    )
    assert unnamed == []
