import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgeretrain.backbone import weights
from edgeretrain.backbone.presets import PRESETS, get_preset
from edgeretrain.backbone.weights import find_weights, given_weights, local_weights, weights_file, weights_url
from edgeretrain.errors import EdgeretrainError

V1 = get_preset("mobilenet_v1_025_128")
NAME = "mobilenet_2_5_128_tf_no_top.h5"
GOOD = b"\x89HDF\r\n\x1a\n" + bytes(200_000)


class _Handler(BaseHTTPRequestHandler):
    """Answers by the first folder of the path: /good/..., /truncated/..., /html/..., anything else 404."""

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        body = {"good": GOOD, "truncated": GOOD[: len(GOOD) // 2], "html": b"<html>sign in</html>"}.get(kind)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(GOOD if kind == "truncated" else body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_weights_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGERETRAIN_WEIGHTS", raising=False)
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", "http://127.0.0.1:9")  # no test may reach the network


def test_file_names_are_keras_own() -> None:
    def name(preset: str) -> str:
        return weights_file(get_preset(preset))

    v2 = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels"
    assert name("mobilenet_v1_100_224") == "mobilenet_1_0_224_tf_no_top.h5"
    assert name("mobilenet_v1_075_192") == "mobilenet_7_5_192_tf_no_top.h5"
    assert name("mobilenet_v1_050_160") == "mobilenet_5_0_160_tf_no_top.h5"
    assert name("mobilenet_v1_025_128") == NAME
    assert name("mobilenet_v2_100_224") == f"{v2}_1.0_224_no_top.h5"
    assert name("mobilenet_v2_035_96") == f"{v2}_0.35_96_no_top.h5"
    assert name("mobilenet_v2_140_224") == f"{v2}_1.4_224_no_top.h5"
    assert name("nasnet_mobile") == "NASNet-mobile-no-top.h5"
    assert name("inception_v3") == "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    assert name("mobilenet_v1_025_128_logits") == "mobilenet_2_5_128_tf.h5"
    assert len({weights_file(preset) for preset in PRESETS.values()}) == len(PRESETS) == 40


def test_urls_are_keras_own_and_the_base_can_be_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights_url(get_preset("nasnet_mobile")) == "http://127.0.0.1:9/nasnet/NASNet-mobile-no-top.h5"
    assert weights_url(get_preset("inception_v3")).startswith("http://127.0.0.1:9/inception_v3/inception_v3_weights_")
    monkeypatch.delenv("EDGERETRAIN_WEIGHTS_URL")
    assert weights_url(V1) == f"{weights.KERAS_URL}/mobilenet/{NAME}"


def test_a_download_is_kept_with_its_digest_and_reported(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", f"{server}/good/")
    seen: list[tuple[str, int, int]] = []
    found = find_weights(V1, tmp_path / "cache", progress=lambda *step: seen.append(step))
    assert found.path == tmp_path / "cache" / NAME
    assert found.path.read_bytes() == GOOD
    assert found.card()["sha256"] == hashlib.sha256(GOOD).hexdigest()
    assert found.card()["licence"] == "Apache-2.0"
    assert seen[-1] == ("Downloading weights", len(GOOD), len(GOOD))
    assert [path.name for path in found.path.parent.iterdir()] == [NAME]
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", "http://127.0.0.1:9")
    assert find_weights(V1, tmp_path / "cache").path == found.path  # not fetched again


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated", "broke off after 100,004 of 200,008 bytes"),
        ("html", "not an HDF5 weight file"),
        ("nothing", "answered 404"),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", f"{server}/{kind}")
    with pytest.raises(EdgeretrainError) as caught:
        find_weights(V1, tmp_path)
    for part in (reason, f"{server}/{kind}/mobilenet/{NAME}", "EDGERETRAIN_WEIGHTS", "--weights FILE"):
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("preset", ["nasnet_mobile", "inception_v3"])
def test_keras_md5_is_checked_where_keras_names_one(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str
) -> None:
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", f"{server}/good")
    with pytest.raises(EdgeretrainError, match="MD5"):
        find_weights(get_preset(preset), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no-url"])
def test_no_connection_says_the_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", url)
    with pytest.raises(EdgeretrainError, match=f"put {NAME} into a folder .* --weights FILE"):
        find_weights(V1, tmp_path)


def test_the_weights_folder_comes_before_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, cache = tmp_path / "folder", tmp_path / "cache"
    for place in (folder, cache):
        place.mkdir()
        (place / NAME).write_bytes(GOOD)
    assert local_weights(V1, cache).path.parent == cache  # type: ignore[union-attr]
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS", str(folder))
    assert local_weights(V1, cache).path.parent == folder  # type: ignore[union-attr]


def test_a_given_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"w\.h5: no such weight file"):
        given_weights(tmp_path / "w.h5")
