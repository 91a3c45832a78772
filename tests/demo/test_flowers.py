"""No test reaches the network: every archive comes from a server on this machine."""

import gzip
import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgeretrain.demo import fetch_flowers, flowers
from edgeretrain.errors import EdgeretrainError

EACH = 12  # photos of a class; what is few is lowered to match, except in the test of the number itself
Member = tuple[str, bytes] | tarfile.TarInfo


def archive(members: list[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def photo(label: str, number: int) -> bytes:
    return b"\xff\xd8\xff" + random.Random(f"{label} {number}").randbytes(6000)  # does not compress


def flower_members(each: int = EACH, labels: tuple[str, ...] = flowers.LABELS) -> list[Member]:
    folder = tarfile.TarInfo("flower_photos")
    folder.type, folder.mode = tarfile.DIRTYPE, 0o750
    members: list[Member] = [folder, ("flower_photos/LICENSE.txt", b"CC-BY by the photographers")]
    for label in labels:
        members += [(f"flower_photos/{label}/{number}.jpg", photo(label, number)) for number in range(each)]
    return members


def link(name: str, target: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@cache
def good() -> bytes:
    return archive(flower_members())


def wrong_checksum() -> bytes:
    """Whole, but for one bit of the sum that gzip keeps of its content."""
    whole = bytearray(good())
    whole[-8] ^= 1
    return bytes(whole)


ESCAPES: dict[str, Callable[[], bytes]] = {
    "dots": lambda: archive([*flower_members(), ("flower_photos/roses/../../../escaped.jpg", b"x")]),
    "absolute": lambda: archive([*flower_members(), ("/daisy/escaped.jpg", b"x")]),
    "windows": lambda: archive([*flower_members(), ("flower_photos/roses/..\\..\\escaped.jpg", b"x")]),
    "drive": lambda: archive([*flower_members(), ("flower_photos/roses/C:escaped.jpg", b"x")]),
    "symlink": lambda: archive(
        [link("flower_photos/roses", "../..", tarfile.SYMTYPE), ("flower_photos/roses/escaped.jpg", b"x")]
    ),
    "hardlink": lambda: archive([link("flower_photos/roses/a.jpg", "/etc/hostname", tarfile.LNKTYPE)]),
    "pipe": lambda: archive([link("flower_photos/roses/a.jpg", "", tarfile.FIFOTYPE)]),
}
OTHERS: dict[str, Callable[[], bytes]] = {
    "good": good,
    "html": lambda: b"<html>sign in</html>",
    "gzip": lambda: gzip.compress(b"no tar archive" * 1000),
    "cut": lambda: good()[: len(good()) // 2],  # and the server says that this is all
    "checksum": wrong_checksum,
    "four": lambda: archive(flower_members(EACH * 2, flowers.LABELS[:4])),
    "few": lambda: archive(flower_members(EACH - 1)),
    "extras": lambda: archive(
        [
            *flower_members(),
            ("flower_photos/daisy/._1.jpg", b"x"),
            ("flower_photos/daisy/deeper/1.jpg", b"x"),
            ("flower_photos/daisy/run.sh", b"x"),
            ("flower_photos/weeds/1.jpg", b"x"),
            ("setup.py", b"x"),
        ]
    ),
}
BODIES = {**ESCAPES, **OTHERS}


class _Handler(BaseHTTPRequestHandler):
    """/NAME.tgz answers with that body, /truncated.tgz breaks off, /stalls.tgz never ends, anything else is a 404."""

    stalled = threading.Event()

    def do_GET(self) -> None:
        name = self.path.strip("/").removesuffix(".tgz")
        if name in ("truncated", "stalls"):
            whole, sent = good(), good()[: len(good()) // 2]
        elif name in BODIES:
            whole = sent = BODIES[name]()
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(sent)
        if name == "stalls":
            self.wfile.flush()
            self.stalled.wait(60)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        _Handler.stalled.set()
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERETRAIN_FLOWERS_URL", "http://127.0.0.1:9/flower_photos.tgz")


@pytest.fixture(autouse=True)
def few_are_enough(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.name != "test_3600_photos_are_enough_and_3599_are_not":
        monkeypatch.setattr(flowers, "FEWEST_PHOTOS", 5 * EACH)


def test_a_good_archive_is_unpacked_whole(server: str, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    folder = fetch_flowers(
        tmp_path / "deep" / "flower_photos", url=f"{server}/good.tgz", progress=lambda *step: seen.append(step)
    )
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE.txt", *flowers.LABELS]
    for label in flowers.LABELS:
        assert len(list((folder / label).iterdir())) == EACH
    assert (folder / "tulips" / "11.jpg").read_bytes() == photo("tulips", 11)
    assert [path.name for path in folder.parent.iterdir()] == ["flower_photos"]
    size = len(good())
    for step in ("Downloading flower_photos", "Unpacking flower_photos"):
        done = [entry for entry in seen if entry[0] == step]
        assert done[-1] == (step, size, size)
        assert [entry[1] for entry in done] == sorted(entry[1] for entry in done)


def test_a_complete_set_is_reused_without_network(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERETRAIN_FLOWERS_URL", f"{server}/good.tgz")
    folder = fetch_flowers(tmp_path / "flower_photos")
    before = (folder / "roses").stat().st_mtime_ns
    monkeypatch.setenv("EDGERETRAIN_FLOWERS_URL", "http://127.0.0.1:9")
    assert fetch_flowers(folder) == folder
    assert (folder / "roses").stat().st_mtime_ns == before


def test_3600_photos_are_enough_and_3599_are_not(tmp_path: Path) -> None:
    for label in flowers.LABELS:
        (tmp_path / label).mkdir()
        for number in range(720):
            (tmp_path / label / f"{number}.jpg").touch()
    assert fetch_flowers(tmp_path) == tmp_path
    (tmp_path / "daisy" / "0.jpg").unlink()
    with pytest.raises(EdgeretrainError, match="holds other files, or not all of these photos"):
        fetch_flowers(tmp_path)


def test_what_is_no_photo_of_a_class_stays_in_the_archive(server: str, tmp_path: Path) -> None:
    folder = fetch_flowers(tmp_path / "flower_photos", url=f"{server}/extras.tgz")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 5 * EACH + 1
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE.txt", *flowers.LABELS]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", f"broke off after .* of {len(good()):,} bytes"),
        ("html", "the server did not send a .tgz archive"),
        ("gzip", "is damaged, or no archive"),
        ("cut", "is damaged, or no archive"),
        ("checksum", "is damaged, or no archive"),
        ("nowhere", "the server answered 404"),
        ("four", "it has no tulips/"),
        ("few", "it has 55 photos, fewer than 60"),
        *(
            (kind, "holds a path that leaves its folder: .*escaped")
            for kind in ("dots", "absolute", "windows", "drive")
        ),
        *((kind, "holds 'flower_photos/roses.*', a link or a device") for kind in ("symlink", "hardlink", "pipe")),
    ],
)
def test_a_bad_archive_says_why_and_leaves_nothing(server: str, tmp_path: Path, kind: str, reason: str) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(EdgeretrainError, match=reason) as caught:
        fetch_flowers(tmp_path / "out" / "flower_photos", url=f"{server}/{kind}.tgz")
    message = str(caught.value)
    assert "\n" not in message
    for part in (f"{server}/{kind}.tgz", "`edgeretrain demo` without --flowers", "`edgeretrain retrain FOLDER`"):
        assert part in message
    assert [path for path in tmp_path.rglob("*") if path.name != "out"] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/a.tgz", "http://no-such-host.invalid/a.tgz", "no url"])
def test_no_connection_names_the_ways_out(tmp_path: Path, url: str) -> None:
    with pytest.raises(EdgeretrainError, match=r"Downloading .* failed: .* `edgeretrain demo` without --flowers"):
        fetch_flowers(tmp_path / "flower_photos", url=url)
    assert list(tmp_path.iterdir()) == []


def test_tensorflows_own_archive_must_have_its_published_checksum(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDGERETRAIN_FLOWERS_URL")
    monkeypatch.setattr(flowers, "FLOWERS_URL", f"{server}/good.tgz")
    with pytest.raises(EdgeretrainError, match=f"it has {len(good()):,} bytes, not the 228,813,984"):
        fetch_flowers(tmp_path / "flower_photos")
    monkeypatch.setattr(flowers, "_BYTES", len(good()))
    with pytest.raises(EdgeretrainError, match="its SHA-256 is not the one"):
        fetch_flowers(tmp_path / "flower_photos")
    assert list(tmp_path.iterdir()) == []


def test_photos_that_are_there_already_are_left_alone(server: str, tmp_path: Path) -> None:
    mine = tmp_path / "flower_photos" / "roses" / "mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(EdgeretrainError, match="holds other files, or not all of these photos, so it is left alone"):
        fetch_flowers(tmp_path / "flower_photos", url=f"{server}/good.tgz")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [mine]


@pytest.mark.parametrize("step", ["Downloading flower_photos", "Unpacking flower_photos"])
def test_interrupted_half_way_it_leaves_nothing(server: str, tmp_path: Path, step: str) -> None:
    def interrupt(now: str, done: int, total: int) -> None:
        if now == step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch_flowers(tmp_path / "flower_photos", url=f"{server}/good.tgz", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_killed_half_way_nothing_half_written_and_the_next_run_tidies_up(server: str, tmp_path: Path) -> None:
    target = tmp_path / "flower_photos"
    code = (
        "import sys; from pathlib import Path; from edgeretrain.demo import fetch_flowers\n"
        "fetch_flowers(Path(sys.argv[1]), url=sys.argv[2], progress=lambda *step: print(*step, flush=True))"
    )
    command = [sys.executable, "-c", code, str(target), f"{server}/stalls.tgz"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Downloading flower_photos")
        process.send_signal(signal.SIGKILL)
    assert not target.exists()
    assert len(list(tmp_path.iterdir())) == 2  # what the killed run had so far, and its lock
    fetch_flowers(target, url=f"{server}/good.tgz")
    assert list(tmp_path.iterdir()) == [target]
