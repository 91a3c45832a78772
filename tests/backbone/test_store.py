import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edgeretrain.backbone import find_backbone, list_backbones, status, store
from edgeretrain.backbone.artifact import DamagedBackbone, read_backbone, write_backbone
from edgeretrain.backbone.presets import PRESETS
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS

ABSENT = "mobilenet_v1_025_128"  # never bundled


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("EDGERETRAIN_WEIGHTS", raising=False)
    return tmp_path / "cache" / "backbones"


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)


def put(folder: Path, preset: str = ABSENT, precision: str = "float32", model: bytes = b"model") -> Path:
    return write_backbone(folder, model, {"preset": preset, "precision": precision, "resolution": 128}).path


def test_a_bundled_backbone_is_found_under_its_name_and_its_alias() -> None:
    found = find_backbone("mobilenet_v1_100_224", "int8")
    assert found.path.parent == store.bundled_folder()
    assert (found.preset, found.precision, found.size) == ("mobilenet_v1_100_224", "int8", 224)
    assert found.digest == hashlib.sha256(found.path.read_bytes()).hexdigest()
    assert find_backbone("mobilenet_1.0_224", "int8") == found


def test_a_cached_backbone_is_found(own_cache: Path) -> None:
    path = put(own_cache)
    found = find_backbone(ABSENT, "float32")
    assert (found.path, found.size, found.digest) == (path, 128, hashlib.sha256(b"model").hexdigest())


def test_bundled_comes_before_cached(own_cache: Path) -> None:
    put(own_cache, "mobilenet_v2_100_224", "int8")
    assert find_backbone("mobilenet_v2_100_224", "int8").path.parent == store.bundled_folder()


def test_a_file_of_the_users_own_comes_first_and_needs_no_card(tmp_path: Path) -> None:
    own = tmp_path / "extractor.tflite"
    own.write_bytes(b"\0\0\0\0TFL3")  # how a TFLite file starts
    found = find_backbone("mobilenet_v2_100_224", "int8", backbone=own)
    assert (found.path, found.preset, found.size, found.card) == (own, "extractor", 0, {})
    own.with_suffix(".json").write_text('{"epochs": 5}')  # some other program's file is no card
    assert find_backbone("mobilenet_v2_100_224", "int8", backbone=own).card == {}


def test_a_file_of_the_users_own_must_match_its_card(tmp_path: Path) -> None:
    own = put(tmp_path)
    assert find_backbone("mobilenet_v2_100_224", "float32", backbone=own).preset == ABSENT
    with pytest.raises(EdgeretrainError, match="is a backbone in float32, not in int8"):
        find_backbone("mobilenet_v2_100_224", "int8", backbone=own)
    own.write_bytes(b"other")
    with pytest.raises(EdgeretrainError, match=r"mobilenet_v1_025_128\.float32\.tflite.*damaged"):
        find_backbone("mobilenet_v2_100_224", "float32", backbone=own)


def test_a_missing_file_of_the_users_own_is_named(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"nothing\.tflite: no such backbone file"):
        find_backbone("mobilenet_v2_100_224", "int8", backbone=tmp_path / "nothing.tflite")


@pytest.mark.usefixtures("without_tensorflow")
def test_without_tensorflow_the_error_says_what_was_tried_and_what_to_do(own_cache: Path) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        find_backbone(ABSENT, "int8")
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        f"{ABSENT} in int8",
        "neither bundled nor in the cache",
        str(own_cache),
        'pip install "edgeretrain[tensorflow]"',
        "--preset mobilenet_v1_100_224 or mobilenet_v2_100_224",
    ):
        assert part in message


def test_build_false_names_the_command() -> None:
    with pytest.raises(EdgeretrainError, match=f"Run `edgeretrain backbone build {ABSENT}`"):
        find_backbone(ABSENT, "float32", build=False)


@pytest.mark.usefixtures("without_tensorflow")
@pytest.mark.parametrize("damage", ["bytes", "card gone", "card is no JSON", "card of another shape"])
def test_a_damaged_cached_backbone_is_never_used(own_cache: Path, damage: str) -> None:
    path = put(own_cache)
    card = path.with_suffix(".json")
    if damage == "bytes":
        path.write_bytes(b"xodel")
    elif damage == "card gone":
        card.unlink()
    else:
        card.write_text({"card is no JSON": "{", "card of another shape": "[1]"}[damage])
    with pytest.raises(EdgeretrainError, match="the file in the cache is damaged"):
        find_backbone(ABSENT, "float32")


def test_a_damaged_cached_backbone_is_built_anew(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(own_cache).write_bytes(b"damaged")

    def build(name: str, precisions: list[str], *_: object) -> list[object]:
        return [read_backbone(put(own_cache, name, precision, b"fresh")) for precision in precisions]

    monkeypatch.setattr(store, "_build", build)
    assert find_backbone(ABSENT, "float32").path.read_bytes() == b"fresh"


def test_a_damaged_bundled_backbone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path).write_bytes(b"damaged")
    monkeypatch.setattr(store, "bundled_folder", lambda: tmp_path)
    with pytest.raises(EdgeretrainError, match="install edgeretrain again"):
        find_backbone(ABSENT, "float32")


def test_missing_precisions_are_built_in_one_go(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(own_cache, precision="float16")
    calls = []

    def build(name: str, precisions: list[str], *_: object) -> list[object]:
        calls.append(precisions)
        return [read_backbone(put(own_cache, name, precision)) for precision in precisions]

    monkeypatch.setattr(store, "_build", build)
    found = store.find_backbones(ABSENT, PRECISIONS)
    assert [backbone.precision for backbone in found] == list(PRECISIONS)
    assert calls == [["float32", "dynamic", "int8"]]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeretrainError, match="cannot be written"):
        put(tmp_path / "file")


def test_writing_leaves_the_two_files_and_nothing_else(tmp_path: Path) -> None:
    path = put(tmp_path)
    assert sorted(tmp_path.iterdir()) == [path.with_suffix(".json"), path]
    text = path.with_suffix(".json").read_text()
    assert list(json.loads(text)) == sorted(json.loads(text))
    assert put(tmp_path).with_suffix(".json").read_text() == text


def test_a_card_is_told_in_the_same_order_when_it_was_just_written(tmp_path: Path) -> None:
    bundled = find_backbone("mobilenet_v2_100_224", "int8")
    card = {key: bundled.card[key] for key in reversed(bundled.card)}
    written = write_backbone(tmp_path, bundled.path.read_bytes(), card)
    assert json.dumps(written.card) == json.dumps(read_backbone(written.path).card)


def test_reading_needs_a_card_that_fits(tmp_path: Path) -> None:
    path = put(tmp_path)
    assert read_backbone(path).card["bytes"] == 5
    path.write_bytes(b"model ")
    with pytest.raises(DamagedBackbone, match="damaged"):
        read_backbone(path)


def test_status_tells_the_five_cases(own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)
    assert status("mobilenet_v1_100_224") == {
        "float32": "bundled",
        "float16": "tensorflow missing",
        "dynamic": "tensorflow missing",
        "int8": "bundled",
    }
    put(own_cache)
    assert status(ABSENT)["float32"] == "cached"
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: True)
    assert status(ABSENT)["int8"] == "weights missing"
    (tmp_path / "mobilenet_2_5_128_tf_no_top.h5").write_bytes(b"")
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS", str(tmp_path))
    assert status(ABSENT)["int8"] == "buildable"


def test_list_names_bundled_and_cached_and_their_faults(own_cache: Path) -> None:
    put(own_cache).write_bytes(b"damaged")
    listed = list_backbones()
    assert [(each.preset, each.precision, each.origin) for each in listed if each.damage] == [
        (ABSENT, "float32", "cached")
    ]
    assert sum(each.origin == "bundled" for each in listed) == 6


def test_status_of_all_presets_imports_neither_tensorflow_nor_a_runtime() -> None:
    code = (
        "import sys\nfrom edgeretrain.backbone import list_backbones, status\n"
        f"for name in {list(PRESETS)}: status(name)\nlist_backbones()\n"
        "print([m for m in ('tensorflow', 'ai_edge_litert', 'h5py', 'PIL', 'skimage') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_backbone_of_the_users_own_is_found_by_its_name(own_cache: Path) -> None:
    assert store.own_names() == []
    path = put(own_cache, "my_net")
    put(own_cache, "another", "int8")
    assert store.own_names() == ["another", "my_net"]
    assert store.backbone_name(" my_net ") == "my_net"
    assert store.backbone_name("mobilenet_1.0_224") == "mobilenet_v1_100_224"
    assert find_backbone("my_net", "float32").path == path
    assert status("my_net") == {
        "float32": "cached",
        "float16": "weights missing",
        "dynamic": "weights missing",
        "int8": "weights missing",
    }
    assert [(one.preset, one.precision) for one in list_backbones()][-2:] == [
        ("another", "int8"),
        ("my_net", "float32"),
    ]


def test_what_is_missing_of_ones_own_backbone_must_be_made_again(own_cache: Path) -> None:
    put(own_cache, "my_net").write_bytes(b"other")
    with pytest.raises(EdgeretrainError, match=r"damaged.*`edgeretrain backbone build my_net --from SOURCE`"):
        find_backbone("my_net", "float32")
    with pytest.raises(EdgeretrainError, match=r"my_net in int8 is neither.*build my_net --from SOURCE"):
        find_backbone("my_net", "int8")


def test_an_unknown_name_is_told_with_ones_own(own_cache: Path) -> None:
    put(own_cache, "my_net")
    with pytest.raises(EdgeretrainError, match=r"no preset 'mine'.*Backbones of your own: my_net\."):
        store.backbone_name("mine")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mobilenet_v2_100_224", "a preset's name"),
        ("mobilenet_1.0_224", "cannot be named"),
        ("../net", "cannot be named"),
        ("My net", "cannot be named"),
        ("", "cannot be named"),
    ],
)
def test_names_that_a_backbone_cannot_have(name: str, reason: str) -> None:
    store.check_own_name("my_net-2")
    with pytest.raises(EdgeretrainError, match=reason):
        store.check_own_name(name)
