"""`edgeretrain evaluate`."""

import json
import shutil
from pathlib import Path

import pytest

from cli.conftest import Run


def test_on_the_photos_held_out_it_repeats_the_report(cli: Run, run_folder: Path, photo_folder: Path) -> None:
    report = json.loads((run_folder / "report.json").read_text("utf-8"))
    for entry in report["models"]:
        ended = cli("evaluate", run_folder / entry["file"], photo_folder, "--testing-only", "--json").succeeds()
        evaluation = json.loads(ended.out)
        assert evaluation.pop("skipped") == []
        assert evaluation == {**entry["evaluation"], "agreement_with_float32": None}


def test_the_table(cli: Run, run_folder: Path, photo_folder: Path) -> None:
    ended = cli("evaluate", run_folder / "model.int8.tflite", photo_folder).succeeds()
    assert ended.out.startswith("12 photos: top-1 ")
    assert "bricks" in ended.out and "grass" in ended.out and "Confusion" in ended.out


def test_unreadable_photos_are_named_or_with_strict_an_error(cli: Run, run_folder: Path, photos: Path) -> None:
    cut, empty = photos / "grass" / "0.png", photos / "grass" / "1.png"
    cut.write_bytes(cut.read_bytes()[:3000])
    empty.write_bytes(b"")
    model = run_folder / "model.int8.tflite"
    ended = cli("evaluate", model, photos, "--json").succeeds()
    skipped = json.loads(ended.out)["skipped"]
    assert [photo["photo"] for photo in skipped] == ["grass/0.png", "grass/1.png"]
    assert "Skipped grass/0.png: truncated or damaged file" in cli("evaluate", model, photos).out
    cli("evaluate", model, photos, "--strict").fails("grass/1.png: empty file", "Replace")
    empty.unlink()
    cli("evaluate", model, photos, "--strict").fails("grass/0.png: truncated", "Replace")


def test_a_class_that_the_model_lacks(cli: Run, run_folder: Path, photos: Path) -> None:
    shutil.copytree(photos / "grass", photos / "sand")
    cli("evaluate", run_folder / "model.int8.tflite", photos).fails(
        "'sand' is none of the model's labels", "bricks, grass", "Rename or remove that folder"
    )


def test_no_such_folder_or_model(cli: Run, run_folder: Path, photos: Path, tmp_path: Path) -> None:
    cli("evaluate", run_folder / "model.int8.tflite", tmp_path / "nowhere").fails("There is no folder")
    cli("evaluate", tmp_path / "no.tflite", photos).fails("no.tflite: cannot be read", "Give a .tflite file")


@pytest.mark.parametrize("spoilt", [b"", b"text"])
def test_all_photos_unreadable(spoilt: bytes, cli: Run, run_folder: Path, photos: Path) -> None:
    for photo in photos.rglob("*.png"):
        photo.write_bytes(spoilt)
    cli("evaluate", run_folder / "model.int8.tflite", photos).fails("None of the 12 photos can be read")


def test_all_photos_truncated(cli: Run, run_folder: Path, photos: Path) -> None:
    for photo in photos.rglob("*.png"):
        photo.write_bytes(photo.read_bytes()[:3000])
    cli("evaluate", run_folder / "model.int8.tflite", photos).fails("None of the 12 photos can be read")
