"""Requests, good and bad, over real connections."""

import http.client
import io
import json
import socket
import struct
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.garden import encoded, texture

from edgeretrain.classifier import Classifier
from edgeretrain.serve import app
from serve.conftest import Serve
from serve.served import SECONDS, TOKEN, Page

PATHS = ["/", "/setup", "/state", "/frame", "/page.js", "/style.css", "/family.css", "/icon.svg"]
POSTS = ["/classify", "/photos?label=stripes"]
STRIPES = encoded(texture("stripes", 30))


@pytest.mark.parametrize("path", [*PATHS, *POSTS, "/no/such/page"])
def test_without_the_token_nothing_is_to_be_had(locked: Page, photos: Path, path: str) -> None:
    body = STRIPES if path in POSTS else None
    for value in ("", TOKEN, "0"):
        headers: dict[str, Any] = {"Cookie": f"edgeretrain-{locked.port}={value}"} if value else {}
        locked.ask(path, body, **headers).refuses(401, "token")
    assert "<form" in locked.ask(path, body, own=False).body.decode()
    assert locked.ask(path, body, Cookie=locked.cookie()).status in (200, 201, 404)
    assert len(list(photos.rglob("*.jpg"))) == (path == POSTS[1])


def test_the_token_opens_the_page_once_and_the_cookie_from_then_on(locked: Page) -> None:
    answer = locked.ask(f"/?token={TOKEN}", own=False)
    assert answer.status == 200
    assert b"<main>" in answer.body
    assert TOKEN.encode() not in answer.body
    assert "HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
    for path in PATHS:
        assert locked.ask(path, Cookie=locked.cookie()).status == 200
    assert "set-cookie" not in locked.ask("/", Cookie=locked.cookie()).headers


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "%ff%fe", "é".encode().hex()])
def test_a_wrong_token_is_refused_even_with_the_cookie(locked: Page, token: str) -> None:
    for headers in ({}, {"Cookie": locked.cookie()}):
        answer = locked.ask(f"/?token={token}", own=False, **headers)
        assert answer.status == 403
        assert "This token is wrong." in answer.body.decode()
        assert "set-cookie" not in answer.headers


def test_the_token_counts_at_the_front_door_only(locked: Page) -> None:
    for path in PATHS[1:]:
        assert locked.ask(f"{path}?token={TOKEN}").status == 401


@pytest.mark.parametrize("path", POSTS)
def test_another_site_can_post_nothing(locked: Page, page: Page, photos: Path, path: str) -> None:
    for served, cookie in ((locked, locked.cookie()), (page, "")):
        host = f"127.0.0.1:{served.port}"
        for headers, own in (
            ({}, False),
            ({"Origin": "http://evil.example"}, True),
            ({"Origin": f"http://{host}", "Sec_Fetch_Site": "cross-site"}, True),
        ):
            answer = served.ask(path, STRIPES, own=own, Cookie=cookie, **headers)
            assert answer.status == 403
            assert "did not come from the page" in answer.body.decode()
        good = served.ask(path, STRIPES, Cookie=cookie, Origin=f"http://{host}", Sec_Fetch_Site="same-origin")
        assert good.status in (200, 201)


def test_a_name_pointed_here_sees_nothing(page: Page) -> None:
    for path in (*PATHS, "/no/such/page"):
        page.ask(path, Host="evil.example").refuses(403, "http://localhost")
        page.ask(path, Host="[").refuses(403)
    assert page.ask("/", Host="localhost:9000").status == 200


@pytest.mark.parametrize("path", [*PATHS, "/no/such/page"])
def test_every_answer_carries_the_same_strict_headers(locked: Page, path: str) -> None:
    for cookie in ("", locked.cookie()):
        headers = locked.ask(path, own=False, Cookie=cookie).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_head(page: Page, path: str) -> None:
    answer = page.ask(path, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["content-type"] == page.ask(path).headers["content-type"]


@pytest.mark.parametrize(
    "path", ["/nothing", "/photos/", "/../../etc/passwd", "/%2e%2e/x", "//evil.example", "/%C3%A9"]
)
def test_an_unknown_path(page: Page, path: str) -> None:
    page.ask(path).refuses(404, "There is no such page")
    answer = page.ask(path, own=False)
    assert answer.status == 404
    assert "location" not in answer.headers
    assert "<form" not in answer.body.decode()


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/"), ("GET", "/classify"), ("DELETE", "/photos"), ("PUT", "/x")]
)
def test_another_method(page: Page, method: str, path: str) -> None:
    answer = page.ask(path, method=method)
    assert answer.status == (404 if path == "/x" else 405)
    answer.refuses(answer.status)


def test_an_upload_is_classified_as_the_classifier_does(page: Page, classifier: Classifier) -> None:
    answer = page.ask("/classify", STRIPES)
    assert answer.status == 200
    expected = {prediction.label: round(prediction.score, 4) for prediction in classifier(STRIPES)}
    assert dict(answer.json["scores"]) == expected
    assert answer.json["label"] == "stripes"


def test_an_upload_is_turned_upright_first(page: Page, classifier: Classifier) -> None:
    image = Image.fromarray(texture("stripes", 31))
    exif = Image.Exif()
    exif[0x0112] = 6  # what is up lies to the right
    buffer = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
    assert (
        page.ask("/classify", buffer.getvalue()).json == page.ask("/classify", encoded(np.asarray(image), "PNG")).json
    )
    lying = page.ask("/classify", encoded(np.asarray(image.transpose(Image.Transpose.ROTATE_90)), "PNG")).json
    assert lying["scores"] != page.ask("/classify", buffer.getvalue()).json["scores"]


def test_a_transparent_upload_lies_on_white(page: Page) -> None:
    pixels = texture("dots", 30)
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    alpha[:, :20] = 0
    on_white = np.where(alpha > 0, pixels, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(buffer, "PNG")
    assert page.ask("/classify", buffer.getvalue()).json == page.ask("/classify", encoded(on_white, "PNG")).json


def bomb(width: int, height: int) -> bytes:
    """A PNG of some hundred bytes that says it is that large."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000)))]
    coded = [
        struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in [*chunks, (b"IEND", b"")]
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(coded)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty file"),
        (b"no photo at all", "not a JPEG, PNG"),
        (STRIPES[: len(STRIPES) // 2], "truncated or damaged"),
        (STRIPES[:20] + bytes(500), "truncated or damaged"),
        (bomb(60_000, 60_000), "more than 89,478,485 pixels"),
        (bomb(9_459, 9_460), "more than 89,478,485 pixels"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "an SVG drawing, not a photo"),
    ],
    ids=["empty", "text", "half", "damaged", "bomb", "small bomb", "svg"],
)
def test_what_is_no_photo_is_told_and_not_saved(page: Page, photos: Path, content: bytes, says: str) -> None:
    for path in POSTS:
        page.ask(path, content).refuses(422, "This photo cannot be read", says)
    assert list(photos.iterdir()) == []
    assert page.ask("/classify", STRIPES).status == 200


def test_a_huge_upload_is_refused_before_it_is_read(page: Page) -> None:
    for path in POSTS:
        with socket.create_connection(("127.0.0.1", page.port), SECONDS) as connection:
            head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-Edgeretrain: 1\r\nContent-Length: 20000001\r\n\r\n"
            connection.sendall(head.encode())
            answer = b""
            while block := connection.recv(1 << 16):  # and then it is closed
                answer += block
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"larger than 20 MB" in answer
    page.ask("/classify", STRIPES, Content_Length="nonsense")
    assert page.ask("/classify", STRIPES).status == 200


def test_a_huge_upload_that_does_not_say_so_is_cut_off(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MAX_UPLOAD", 100_000)
    sent = 0

    def endless() -> Any:
        nonlocal sent
        while sent < 50_000_000:
            sent += 10_000
            yield bytes(10_000)

    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=SECONDS)
    try:
        connection.request("POST", "/classify", endless(), {"X-Edgeretrain": "1"}, encode_chunked=True)
        assert connection.getresponse().status == 413
    except ConnectionError:  # cut off while still sending
        pass
    finally:
        connection.close()
    assert sent < 50_000_000
    page.ask("/classify", bytes(100_001)).refuses(413, "Choose a smaller one")
    page.ask("/classify", bytes(100_000)).refuses(422)


def test_a_slow_upload_ends(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "UPLOAD_SECONDS", 0.3)
    with socket.create_connection(("127.0.0.1", page.port), SECONDS) as connection:
        connection.sendall(
            b"POST /classify HTTP/1.1\r\nHost: localhost\r\nX-Edgeretrain: 1\r\nContent-Length: 1000\r\n\r\nhalf"
        )
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 408 ")
    assert page.ask("/classify", STRIPES).status == 200


def test_uploads_in_memory_are_bounded_and_those_who_leave_make_room(page: Page) -> None:
    head = b"POST /classify HTTP/1.1\r\nHost: localhost\r\nX-Edgeretrain: 1\r\nContent-Length: 1000\r\n\r\nhalf"
    waiting = [socket.create_connection(("127.0.0.1", page.port), SECONDS) for _ in range(app.MAX_UPLOADS)]
    for connection in waiting:
        connection.sendall(head)
    until(lambda: page.ask("/classify", STRIPES).status == 503)
    assert page.ask("/setup").status == 200
    for connection in waiting:
        connection.close()
    until(lambda: page.ask("/classify", STRIPES).status == 200)


def until(holds: Any) -> None:
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end


def test_a_browser_that_goes_away_leaves_nothing(page: Page) -> None:
    threads = threading.active_count()
    for _ in range(40):
        with socket.create_connection(("127.0.0.1", page.port), SECONDS) as connection:
            connection.sendall(b"GET /state?after=999999999 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    until(lambda: page.ask("/state").status == 200)
    assert threading.active_count() <= threads + 2


def test_uploads_while_others_look(page: Page, classifier: Classifier) -> None:
    answers: list[Any] = []

    def send(number: int) -> None:
        photo = encoded(texture("checks", number))
        for _ in range(50):  # four at a time
            answer = page.ask("/classify", photo)
            if answer.status != 503:
                break
            time.sleep(0.05)
        answers.append(
            (
                answer.json["scores"],
                [[prediction.label, round(prediction.score, 4)] for prediction in classifier(photo)],
            )
        )

    threads = [threading.Thread(target=send, args=(40 + number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        assert page.ask("/state").status == 200
    for thread in threads:
        thread.join(SECONDS)
    assert len(answers) == 8
    for got, expected in answers:
        assert sorted(got) == sorted(expected)


def test_a_frame_is_saved_into_a_class_folder(page: Page, photos: Path) -> None:
    frame = page.ask("/frame").body
    answer = page.ask("/photos?label=stripes", frame)
    assert answer.status == 201
    assert answer.json["classes"] == {"checks": 0, "dots": 0, "stripes": 1}
    assert (photos / answer.json["saved"]).read_bytes() == frame
    new = page.ask("/photos?label=ros%C3%A9%20%F0%9F%8C%B9%20%26%20co", frame).json
    assert new["classes"]["rosé 🌹 & co"] == 1
    assert (photos / new["saved"]).parent.name == "rosé 🌹 & co"


@pytest.mark.parametrize("label", ["", "..", "..%2Fstripes", "%2Fetc", "a%00b", "a%0Ab", "Stripes", ".x", "%FF%2F"])
def test_other_classes_are_refused(page: Page, photos: Path, label: str) -> None:
    page.ask(f"/photos?label={label}", STRIPES).refuses(422, "class")
    page.ask("/photos", STRIPES).refuses(422)
    assert list(photos.parent.iterdir()) == [photos] and list(photos.iterdir()) == []


def test_a_full_disk_is_told_on_the_page_and_on_the_terminal(
    page: Page, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        message = page.ask("/photos?label=stripes", STRIPES).refuses(507, "No space left on device")
    assert page.told == [message]
    assert list(photos.iterdir()) == []
    assert page.ask("/photos?label=stripes", STRIPES).status == 201


def test_without_photos_nothing_can_be_saved(serve: Serve) -> None:
    page = serve()
    assert page.ask("/setup").json["classes"] is None
    page.ask("/photos?label=stripes", STRIPES).refuses(404, "--photos FOLDER")


def test_requests_are_told_without_the_token(locked: Page) -> None:
    locked.ask(f"/?token={TOKEN}")
    locked.ask("/state?after=3", Cookie=locked.cookie())
    assert "127.0.0.1 GET / 200" in locked.requests
    assert "127.0.0.1 GET /state 200" in locked.requests
    assert TOKEN not in "".join(locked.requests)


@pytest.mark.parametrize("after", ["", "-1", "1e9", "x", "9" * 5000, "²", "%00"])
def test_any_number_may_be_asked_for(page: Page, after: str) -> None:
    assert json.loads(page.ask(f"/state?after={after}".replace("²", "%C2%B2")).body)["number"] >= 0
