"""Handles, against a server on this machine that speaks TensorFlow Hub's protocol. None of it needs TensorFlow."""

import hashlib
import http.server
import io
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.hub import download_address, fetch
from edgeretrain.importers.sources import open_source

MODULE = {
    "saved_model.pb": b"graph",
    "variables/variables.index": b"i",
    "variables/variables.data-00000-of-00001": b"d",
}


def packed(members: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return buffer.getvalue()


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what `server.pages` holds for a path, or for a path with its query; notes what was asked."""

    server: "_Server"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        page = self.server.pages.get(self.path, self.server.pages.get(urlsplit(self.path).path))
        if page is None:
            self.send_error(404)
        elif isinstance(page, str):
            self.send_response(302)
            self.send_header("Location", page)
            self.end_headers()
        else:
            self.send_response(200)
            promised = 2 * len(page) if "truncated" in self.path else len(page)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            if self.server.go_on is None:
                self.wfile.write(page)
            else:
                self.wfile.write(page[: len(page) // 2])
                self.wfile.flush()
                self.server.go_on.wait(60)

    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.pages: dict[str, bytes | str] = {}
        self.go_on: threading.Event | None = None  # half a page comes, and no more until then
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def server() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def kept(own_cache: Path) -> Path:
    """Where what is fetched is kept."""
    return own_cache / "sources"


def read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("handle", "address"),
    [
        (
            "https://tfhub.dev/google/imagenet/mobilenet_v1_025_128/feature_vector/5",
            "https://tfhub.dev/google/imagenet/mobilenet_v1_025_128/feature_vector/5?tf-hub-format=compressed",
        ),
        (
            "https://www.kaggle.com/models/google/mobilenet-v2/tensorFlow2/035-128-feature-vector/2",
            "https://www.kaggle.com/models/google/mobilenet-v2/tensorFlow2/035-128-feature-vector/2?tf-hub-format=compressed",
        ),
        ("https://tfhub.dev/a/b/1?tf-hub-format=compressed", "https://tfhub.dev/a/b/1?tf-hub-format=compressed"),
        ("https://tfhub.dev/a/lite/1?lite-format=tflite", "https://tfhub.dev/a/lite/1?lite-format=tflite"),
        ("https://a.org/m/1?key=2", "https://a.org/m/1?key=2&tf-hub-format=compressed"),
        ("https://a.org/m.tar.gz", "https://a.org/m.tar.gz"),
        ("https://a.org/m.ZIP?key=2", "https://a.org/m.ZIP?key=2"),
        ("https://a.org/m.tflite", "https://a.org/m.tflite"),
    ],
)
def test_a_handle_is_asked_for_compressed_and_a_file_as_it_is(handle: str, address: str) -> None:
    assert download_address(handle) == address


def test_a_handle_is_downloaded_once(server: _Server, kept: Path) -> None:
    server.pages["/google/net/feature_vector/4"] = packed({f"./{name}": one for name, one in MODULE.items()})
    seen: list[tuple[str, int, int]] = []
    folder = fetch(f"{server.url}/google/net/feature_vector/4/", progress=lambda *step: seen.append(step))
    assert read(folder) == MODULE
    assert server.asked == ["/google/net/feature_vector/4?tf-hub-format=compressed"]
    size = len(server.pages["/google/net/feature_vector/4"])
    assert seen[-1] == ("Downloading net/feature_vector/4", size, size)
    server.pages.clear()
    assert fetch(f"{server.url}/google/net/feature_vector/4") == folder
    assert len(server.asked) == 1
    assert [path.name for path in kept.iterdir()] == [folder.name]


def test_a_redirect_is_followed(server: _Server) -> None:
    server.pages["/google/net/1"] = f"{server.url}/storage/4f2a"
    server.pages["/storage/4f2a"] = packed(MODULE)
    assert read(fetch(f"{server.url}/google/net/1")) == MODULE


def test_what_tensorflow_hub_has_in_its_cache_is_not_downloaded(
    server: _Server, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = f"{server.url}/google/net/1"
    folder = tmp_path / "tfhub" / hashlib.sha1(handle.encode()).hexdigest()
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"graph")
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tfhub"))
    assert fetch(handle) == folder
    assert server.asked == []
    assert not kept.exists()


@pytest.mark.parametrize(("prefix", "expected"), [("", "."), ("model/", "model"), ("a/b/", "a/b")])
def test_the_module_may_lie_deeper_in_the_archive(server: _Server, prefix: str, expected: str) -> None:
    server.pages["/m.tgz"] = packed({"readme.txt": b"text", **{prefix + name: one for name, one in MODULE.items()}})
    folder = fetch(f"{server.url}/m.tgz")
    assert read(folder).items() >= MODULE.items()
    assert folder.as_posix().endswith(expected.strip("."))


@pytest.mark.parametrize("name", ["net.tflite", "net.h5", "net.keras", "graph.pb"])
def test_a_file_comes_as_it_is_or_alone_in_an_archive(server: _Server, name: str) -> None:
    server.pages[f"/{name}"] = b"content"
    server.pages["/1"] = packed({"labels.txt": b"a\nb\n", f"deep/{name}": b"content"})
    for address in (f"/{name}", "/1"):
        path = fetch(server.url + address)
        assert (path.name, path.read_bytes()) == (name, b"content")


def test_a_lite_handle_is_a_tflite_file(server: _Server) -> None:
    server.pages["/google/lite-model/1?lite-format=tflite"] = b"\0\0\0\0TFL3"
    path = fetch(f"{server.url}/google/lite-model/1?lite-format=tflite")
    assert (path.name, path.read_bytes()) == ("1.tflite", b"\0\0\0\0TFL3")


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (None, "the server answered 404"),
        (
            b"<!DOCTYPE html><html>sign in</html>",
            "the downloaded file is a web page, not an archive of a TensorFlow module",
        ),
        (b"", "the downloaded file is empty"),
        (b"\x08\x01 no archive", "the downloaded file is something else, not an archive"),
        (packed(MODULE)[:-20], "It was not unpacked"),
        (packed({"../../evil": b"1"}), "holds a path that leaves its folder"),
        (packed({"/evil": b"1"}), "holds a path that leaves its folder"),
        (packed({}, link("variables", "/etc")), "a link or a device"),
        (packed({"notes.txt": b"1"}), "holds neither a SavedModel nor another network"),
        (packed({"a/saved_model.pb": b"1", "b/saved_model.pb": b"1"}), r"holds several networks \(a, b\)"),
        (packed({"a.tflite": b"1", "b.tflite": b"1"}), r"holds several networks \(a.tflite, b.tflite\)"),
    ],
)
def test_what_is_no_module_says_why(
    server: _Server, kept: Path, tmp_path: Path, page: bytes | None, reason: str
) -> None:
    if page is not None:
        server.pages["/google/net/1"] = page
    handle = f"{server.url}/google/net/1"
    with pytest.raises(EdgeretrainError, match=reason) as caught:
        open_source(handle, SourceOverrides())
    assert handle in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not any("evil" in path.name for path in tmp_path.rglob("*"))
    assert list(kept.iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(server: _Server, kept: Path) -> None:
    server.pages["/truncated.tar.gz"] = packed(MODULE)
    with pytest.raises(EdgeretrainError, match=r"broke off after .* give its folder or file with --from\."):
        fetch(f"{server.url}/truncated.tar.gz")
    assert list(kept.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="whether another process runs is not asked there")
def test_what_a_killed_download_left_is_removed_by_the_next(server: _Server, kept: Path) -> None:
    server.pages["/m.tgz"] = packed(MODULE)
    server.go_on = go_on = threading.Event()
    code = "import sys; from edgeretrain.importers.hub import fetch; fetch(sys.argv[1])"
    child = subprocess.Popen([sys.executable, "-c", code, f"{server.url}/m.tgz"])
    while not (kept.is_dir() and any(path.is_file() for path in kept.rglob("*/*"))):
        assert child.poll() is None
        time.sleep(0.01)
    child.kill()
    child.wait()
    (left,) = (path for path in kept.iterdir() if path.is_dir())
    server.go_on = None
    go_on.set()
    folder = fetch(f"{server.url}/m.tgz")
    assert read(folder) == MODULE
    assert folder != left and list(kept.iterdir()) == [folder]


def test_without_a_network_the_way_out_is_named() -> None:
    with pytest.raises(EdgeretrainError, match=r"no connection.*download it in a browser elsewhere, unpack it"):
        fetch("http://127.0.0.1:9/google/net/1")


@pytest.mark.parametrize("handle", ["gs://bucket/module", "ftp://a.org/m.tgz", "https://", "file:///etc/passwd"])
def test_other_addresses_are_refused(handle: str) -> None:
    with pytest.raises(EdgeretrainError, match="is not an address to download from"):
        open_source(handle, SourceOverrides())


def test_a_cache_that_cannot_be_written_says_so(
    server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "file"))
    server.pages["/m.tgz"] = packed(MODULE)
    with pytest.raises(EdgeretrainError, match=r"cannot be written .*EDGERETRAIN_CACHE"):
        fetch(f"{server.url}/m.tgz")
