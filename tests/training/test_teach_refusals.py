"""What `teach` refuses: classes, photos and runs that will not do; and what a full disk leaves."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import Pair, Run, jpeg, put, write_textures
from support.plain import retrain, teach

from edgeretrain.errors import EdgeretrainError
from edgeretrain.features import store as bottleneck_file
from edgeretrain.features.store import read_listing

pytest.importorskip("ai_edge_litert")


@pytest.mark.parametrize(
    ("add", "remove", "told"),
    [
        ([], [], "There is nothing to teach. Give --add CLASS with photos, or --remove CLASS."),
        ([], ["stripe"], "has no class 'stripe' to remove. The nearest is 'stripes'."),
        ([], ["cats"], "has no class 'cats' to remove. Its classes are checks, stripes."),
        ([], ["checks"], "Without checks there is one class left; a classifier needs two or more."),
        (["dots"], ["checks", "stripes"], "No class of the model would stay."),
        ([""], [], "--add '': no class can have this name"),
        (["a/b"], [], "--add 'a/b': no class can have this name"),
        ([".git"], [], "--add '.git': no class can have this name"),
        (["a\nb"], [], r"--add: the class name 'a\nb' has a line break"),
        (["\udcff"], [], "is not valid UTF-8. Choose another name."),
        (["Checks"], [], "--add 'Checks': the model has the class 'checks'."),
    ],
)
def test_classes_that_will_not_do(
    small: Path, pair: Pair, tmp_path: Path, add: list[str], remove: list[str], told: str
) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        teach(small, tmp_path / "run", add={label: [pair.dots] for label in add}, remove=remove)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [small]


def _nothing(folder: Path) -> list[Path]:
    return []


def _missing(folder: Path) -> list[Path]:
    return [folder / "none"]


def _no_photos(folder: Path) -> list[Path]:
    return [put(folder / "notes.txt", b"x").parent]


def _unreadable(folder: Path) -> list[Path]:
    return [put(folder / f"{number}.jpg", b"x") for number in range(3)]


def _two(folder: Path) -> list[Path]:
    return [put(folder / f"{number}.jpg", jpeg(number)) for number in range(2)]


def _three_copies(folder: Path) -> list[Path]:
    return [put(folder / f"{number}.jpg", jpeg(1)) for number in range(3)]


def _class_folders(folder: Path) -> list[Path]:
    return [write_textures(folder, 4)]


@pytest.mark.parametrize(
    ("photos", "told"),
    [
        (_nothing, "--add 'dots': no photos are given."),
        (_missing, "There is no photo or folder "),
        (_no_photos, "this folder has no JPEG, PNG"),
        (_unreadable, "The class 'dots' has no photo that can be read: all 3 were skipped"),
        (_two, "Class 'dots' has too few photos: to be in training, testing, validation it needs 3 that differ"),
        (_three_copies, "needs 3 that differ and has 1"),
        (_class_folders, "The folder given for class 'dots' holds the folder 'checks', named like a class."),
    ],
)
def test_photos_that_will_not_do(small: Path, tmp_path: Path, photos: Callable[[Path], list[Path]], told: str) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        teach(small, tmp_path / "run", add={"dots": photos(tmp_path / "new")})
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_photos_that_bring_nothing(small: Path, textures: Path, tmp_path: Path) -> None:
    known = textures / "checks"
    with pytest.raises(EdgeretrainError, match="nothing to teach: the model knows all these photos already"):
        teach(small, tmp_path / "run", add={"checks": [known]})
    bad = put(tmp_path / "bad.jpg", b"x")
    with pytest.raises(EdgeretrainError, match=r"none of these photos can be read \(checks/bad\.jpg: "):
        teach(small, tmp_path / "run", add={"checks": [bad]})


def test_a_run_among_the_photos(small: Path, pair: Pair) -> None:
    with pytest.raises(EdgeretrainError, match="lies inside the photos folder"):
        teach(small, pair.dots / "run", add={"dots": [pair.dots]})


def _from_another_backbone(small: Path) -> None:
    _relisted(small, lambda listing: {**listing, "backbone": "0" * 64})


def _with_other_classes(small: Path) -> None:
    def changed(listing: dict[str, Any]) -> dict[str, Any]:
        photos = [[name.replace("checks/", "dots/"), *rest] for name, *rest in listing["photos"]]
        return {**listing, "labels": ["dots", "stripes"], "photos": photos}

    _relisted(small, changed)


def _with_other_options(small: Path) -> None:
    _relisted(small, lambda listing: {**listing, "options": {**listing["options"], "colour": "blue"}})


def _with_another_fit(small: Path) -> None:
    _relisted(small, lambda listing: {**listing, "options": {**listing["options"], "fit": "zoom"}})


def _relisted(small: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    import zipfile

    path = small / "bottlenecks.int8.npz"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            changed = json.dumps(change(json.loads(data))).encode() if name == "photos.json" else data
            archive.writestr(name, changed)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda small: shutil.rmtree(small), "There is no model or run folder"),
        (lambda small: (small / "model.int8.tflite").unlink(), "holds no model.<precision>.tflite"),
        (lambda small: (small / "bottlenecks.int8.npz").unlink(), "bottlenecks.int8.npz is not beside it"),
        (lambda small: put(small / "bottlenecks.int8.npz", b"PK"), "the bottleneck file is damaged"),
        (lambda small: put(small / "model.int8.tflite", b"GIF89a"), "model.int8.tflite"),
        (_from_another_backbone, "comes from another backbone, so it does not belong to model.int8.tflite"),
        (_with_other_classes, "has other classes, so it does not belong to model.int8.tflite"),
        (_with_other_options, "holds options that this version of edgeretrain does not know"),
        (_with_another_fit, "holds options that this version of edgeretrain does not know"),
    ],
)
def test_runs_that_will_not_do(
    small: Path, pair: Pair, tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(small)
    with pytest.raises(EdgeretrainError) as caught:
        teach(small, tmp_path / "run", add={"dots": [pair.dots]})
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_models_of_different_runs(small: Path, taught: Run, pair: Pair, tmp_path: Path) -> None:
    for name in ("model.float32.tflite", "bottlenecks.float32.npz"):
        shutil.copy(taught.out / name, small)
    with pytest.raises(EdgeretrainError, match="lists other photos than"):
        teach(small, tmp_path / "run", add={"dots": [pair.dots]})


def test_a_retrain_without_bottlenecks_cannot_be_taught(textures: Path, tmp_path: Path) -> None:
    retrain(textures, tmp_path / "bare", precisions=["int8"], keep_bottlenecks=False)
    assert {path.suffix for path in (tmp_path / "bare").iterdir()} == {".tflite", ".txt", ".json", ".html"}
    with pytest.raises(EdgeretrainError, match=r"bottlenecks\.int8\.npz is not beside it"):
        teach(tmp_path / "bare", tmp_path / "run", remove=["dots"])


def test_a_full_disk(small: Path, pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bottleneck_file, "_write_member", full)
    with pytest.raises(EdgeretrainError, match=r"No space left on device.* Free some room"):
        teach(small, tmp_path / "run", add={"dots": [pair.dots]})
    assert list(tmp_path.iterdir()) == [small]


def test_memory_of_bottlenecks_is_float32(small: Path) -> None:
    """As the head saw them: int8 ones are written as steps and come back as numbers."""
    listing = read_listing(small / "bottlenecks.int8.npz")
    values, mirrored = bottleneck_file.read_bottlenecks(small / "bottlenecks.int8.npz", listing, 1280)
    assert values.shape == (48, 1280)
    assert values.dtype == np.float32
    assert mirrored is None
