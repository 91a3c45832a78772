from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.own_backbone import put_own_backbone

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.presets import PRESETS
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.download import NoConnection
from edgeretrain.precision import PRECISIONS
from edgeretrain.progress import silent
from edgeretrain.records.sweep import SweepFailure
from edgeretrain.sweep import backbones
from edgeretrain.sweep.backbones import SMALL, gather_backbones, select_presets

V1, V2 = "mobilenet_v1_100_224", "mobilenet_v2_100_224"


def test_patterns_and_names_select_in_the_order_of_the_table() -> None:
    assert select_presets(["*"]) == list(PRESETS)
    assert select_presets(["mobilenet_v2_035_*", "mobilenet_0.25_128", "mobilenet_v2_035_96"]) == [
        "mobilenet_v1_025_128",
        "mobilenet_v2_035_224",
        "mobilenet_v2_035_192",
        "mobilenet_v2_035_160",
        "mobilenet_v2_035_128",
        "mobilenet_v2_035_96",
    ]


def test_own_backbones_are_selected_by_name_and_pattern(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path))
    put_own_backbone()
    assert select_presets(["my_net", "mobilenet_v1_025_128_logits", V1]) == [
        V1,
        "mobilenet_v1_025_128_logits",
        "my_net",
    ]
    assert select_presets(["my_*"]) == ["my_net"]
    assert select_presets(["*"]) == [*PRESETS, "my_net"]


def test_by_default_the_largest_preset_is_left_out() -> None:
    assert select_presets(SMALL) == [name for name in PRESETS if name != "inception_v3"]


@pytest.mark.parametrize("pattern", ["mobilenet_v3_*", "mobilenet_v2_100_225"])
def test_a_pattern_without_a_match_is_an_error(pattern: str) -> None:
    with pytest.raises(EdgeretrainError, match="edgeretrain presets"):
        select_presets([V2, pattern])


def test_no_patterns_are_an_error() -> None:
    with pytest.raises(EdgeretrainError, match="--presets"):
        select_presets([])


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)


@pytest.fixture
def tensorflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TensorFlow is there, and no weights are."""
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: True)
    monkeypatch.delenv("EDGERETRAIN_WEIGHTS", raising=False)
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path))


@pytest.mark.usefixtures("no_tensorflow")
def test_what_is_bundled_is_had_and_the_rest_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path))
    found, failed = gather_backbones(["mobilenet_v1_025_128", V1, V2], PRECISIONS, progress=silent)
    assert {preset: [backbone.precision for backbone in backbones] for preset, backbones in found.items()} == {
        V1: ["float32", "int8"],
        V2: list(PRECISIONS),
    }
    assert [(failure.preset, failure.precision, failure.stage) for failure in failed] == [
        ("mobilenet_v1_025_128", None, "backbone"),
        (V1, "float16", "backbone"),
        (V1, "dynamic", "backbone"),
    ]
    assert all("edgeretrain[tensorflow]" in failure.reason for failure in failed)


@pytest.mark.usefixtures("tensorflow")
def test_one_vain_download_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def unreachable(preset: Any, *_: Any, **__: Any) -> None:
        asked.append(preset.name)
        raise NoConnection("Downloading failed: no connection.")

    monkeypatch.setattr("edgeretrain.backbone.build.build_backbones", lambda name, *_, **__: unreachable(PRESETS[name]))
    found, failed = gather_backbones(["mobilenet_v1_025_128", "mobilenet_v1_050_128", V1], ["int8"], progress=silent)
    assert asked == ["mobilenet_v1_025_128"]
    assert list(found) == [V1]
    assert [failure.preset for failure in failed] == ["mobilenet_v1_025_128", "mobilenet_v1_050_128"]
    assert all("cannot be reached" in failure.reason for failure in failed)


@pytest.mark.usefixtures("tensorflow")
def test_a_build_that_fails_leaves_what_is_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("the converter\n gave up")

    monkeypatch.setattr("edgeretrain.backbone.build.build_backbones", crash)
    found, failed = gather_backbones([V1], ["float32", "dynamic"], progress=silent)
    assert [one.precision for one in found[V1]] == ["float32"]
    assert failed == [
        SweepFailure(preset=V1, precision="dynamic", stage="backbone", reason="RuntimeError: the converter gave up")
    ]


def test_a_damaged_backbone_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(preset: str, precisions: Sequence[str], **_: Any) -> list[Backbone]:
        raise EdgeretrainError(f"{preset}: damaged.")

    monkeypatch.setattr(backbones, "find_backbones", damaged)
    found, failed = gather_backbones([V2], ["int8"], progress=silent)
    assert found == {}
    assert failed[0].reason == f"{V2}: damaged."
    assert failed[0].precision is None
