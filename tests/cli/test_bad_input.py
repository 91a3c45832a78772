"""Bad input ends in one clear line, exit code 1, and leaves nothing half-written."""

import json
import os
import shutil
import subprocess
import sys
import unicodedata
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Refused, Run, command, make_photos, snapshot

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


# The photos folder


def test_no_such_folder(retrain: Refused, tmp_path: Path) -> None:
    retrain(tmp_path / "nowhere", says=("There is no folder", str(tmp_path / "nowhere"), "Check the path"))


def test_a_file_instead_of_a_folder(retrain: Refused, photos: Path) -> None:
    retrain(photos / "grass" / "0.png", says=("0.png is a file", "Give the folder"))


def test_no_class_folders(retrain: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    retrain(tmp_path / "empty", says=("empty has no sub-folders", "Put the photos of each class into a sub-folder"))


def test_photos_without_class_folders(retrain: Refused, photos: Path) -> None:
    retrain(photos / "grass", says=("has photos (6) but no sub-folders",))


def test_one_class(retrain: Refused, photos: Path) -> None:
    shutil.rmtree(photos / "grass")
    retrain(photos, says=("one class folder only, 'bricks'", "two or more"))


def test_the_folder_above_the_class_folders(retrain: Refused, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "above").mkdir()
    photos.rename(tmp_path / "above" / "photos")
    retrain(tmp_path / "above", says=("holds 2 folders itself", str(tmp_path / "above" / "photos")))


def test_an_empty_class(retrain: Refused, photos: Path) -> None:
    (photos / "sand").mkdir()
    retrain(photos, says=("'sand' is empty", "Add photos, or remove the folder"))


def test_a_class_of_other_files(retrain: Refused, photos: Path) -> None:
    (photos / "sand").mkdir()
    (photos / "sand" / "notes.txt").write_bytes(b"no photo")
    retrain(photos, says=("'sand'", "no photos, only other files (1 .txt)", "Add photos"))


def test_a_class_in_a_format_that_is_not_read(retrain: Refused, photos: Path) -> None:
    (photos / "sand").mkdir()
    for number in range(5):
        (photos / "sand" / f"{number}.jxl").write_bytes(b"\xff\x0a" + bytes([number]))
    retrain(photos, says=("'sand'", "all 5 were skipped", "JPEG XL photo. Save it as JPEG"))


def test_too_few_photos_for_the_split(retrain: Refused, tmp_path: Path) -> None:
    retrain(make_photos(tmp_path / "two", count=2), says=("Class 'bricks'", "needs 3", "has 2", "Add photos"))


def test_two_class_names_that_differ_only_in_case(retrain: Refused, photos: Path) -> None:
    if (photos / "GRASS").exists():
        pytest.skip("this file system does not tell upper from lower case")
    shutil.copytree(photos / "grass", photos / "Grass")
    retrain(photos, says=("'Grass' and 'grass'", "Rename one"))


def test_two_class_names_that_unicode_writes_in_two_ways(retrain: Refused, photos: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "ähre") for form in ("NFC", "NFD"))
    shutil.copytree(photos / "grass", photos / composed)
    if (photos / decomposed).exists():
        pytest.skip("this file system takes both for one name")
    shutil.copytree(photos / "grass", photos / decomposed)
    retrain(photos, says=("Unicode", "Rename one"))


@POSIX
def test_a_class_name_with_a_line_break(retrain: Refused, photos: Path) -> None:
    (photos / "grass").rename(photos / "gra\nss")
    retrain(photos, says=(r"'gra\nss'", "labels.txt", "Rename the folder"))


def test_the_same_photo_in_two_classes(cli: Run, photos: Path, tmp_path: Path) -> None:
    shutil.copy(photos / "grass" / "0.png", photos / "bricks" / "zero.png")
    ended = cli("retrain", photos, "-o", tmp_path / "run", "-p", "int8").succeeds()
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert "Warning: The same photo is in 2 classes: bricks/zero.png, grass/0.png." in ended.out
    assert report["photos"]["warnings"][0].startswith("The same photo is in 2 classes: bricks/zero.png, grass/0.png.")


# Photos that cannot be read


def _truncate(photo: Path) -> None:
    """Keep the header, lose most of the pixels."""
    photo.write_bytes(photo.read_bytes()[:3000])


def _spoil_empty(photo: Path) -> None:
    photo.write_bytes(b"")


def _spoil_text(photo: Path) -> None:
    photo.write_text("not a photo")


SPOILS = [(_truncate, "truncated"), (_spoil_empty, "empty file"), (_spoil_text, "not a JPEG, PNG, WebP, GIF, BMP or")]
KINDS = ["truncated", "empty", "text"]


def test_unreadable_photos_are_skipped_and_named(cli: Run, tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", count=7)
    for number, (spoil, _) in enumerate(SPOILS):
        spoil(photos / "grass" / f"{number}.png")
    ended = cli("retrain", photos, "--out", tmp_path / "run", "--precision", "int8").succeeds()
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert [photo["photo"] for photo in report["photos"]["skipped"]] == ["grass/0.png", "grass/1.png", "grass/2.png"]
    for (_, reason), photo in zip(SPOILS, report["photos"]["skipped"], strict=True):
        assert reason in photo["reason"]
    assert sum(sum(report["photos"][part].values()) for part in ("training", "validation", "testing")) == 11
    assert "Skipped 3 photos" in ended.out
    assert "grass/0.png: truncated" in ended.out


@pytest.mark.parametrize(("spoil", "reason"), SPOILS, ids=KINDS)
def test_strict_makes_an_unreadable_photo_an_error(
    spoil: Callable[[Path], None], reason: str, retrain: Refused, photos: Path
) -> None:
    spoil(photos / "grass" / "3.png")
    retrain(photos, "--strict", "-p", "int8", says=("1 photo is unreadable", "grass/3.png", reason, "Replace"))


@pytest.mark.parametrize(("spoil", "reason"), SPOILS, ids=KINDS)
def test_a_class_without_readable_photos(
    spoil: Callable[[Path], None], reason: str, retrain: Refused, photos: Path
) -> None:
    for photo in (photos / "grass").iterdir():
        spoil(photo)
    retrain(photos, "-p", "int8", says=("'grass' has no photo that can be read", "grass/0.png", reason, "Replace"))


@pytest.mark.parametrize(("spoil", "reason"), SPOILS, ids=KINDS)
def test_all_photos_unreadable(spoil: Callable[[Path], None], reason: str, retrain: Refused, photos: Path) -> None:
    for photo in photos.rglob("*.png"):
        spoil(photo)
    retrain(photos, "-p", "int8", says=("None of the 12 photos can be read", "bricks/0.png", reason, "9 more"))


def test_too_few_photos_once_the_truncated_ones_are_out(retrain: Refused, photos: Path) -> None:
    for index in range(4):
        _truncate(photos / "grass" / f"{index}.png")
    retrain(photos, "-p", "int8", says=("Class 'grass' has too few photos", "has 2"))


def _huge_png(path: Path, side: int = 30_000) -> None:
    """A one-colour PNG of 1 bit a pixel: 112 MB of zeros, 900 MB once decoded, 0.5 MB here."""
    squeeze = zlib.compressobj(1)
    row = bytes(1 + side // 8)
    data = b"".join(squeeze.compress(row * 100) for _ in range(side // 100)) + squeeze.flush()
    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    with path.open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, content in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b"")):
            file.write(len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big"))


def _peak_memory(*arguments: Any) -> int:
    """Peak resident memory of a command that succeeds, bytes."""
    child = subprocess.Popen(command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@POSIX
def test_a_30000_by_30000_png_does_not_eat_memory(photos: Path, cli: Run, tmp_path: Path) -> None:
    usual = _peak_memory("retrain", photos, "--out", tmp_path / "run", "--precision", "int8")
    _huge_png(photos / "grass" / "huge.png")
    peak = _peak_memory("retrain", photos, "--out", tmp_path / "run", "--precision", "int8")
    report = json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))
    assert report["photos"]["skipped"] == [{"photo": "grass/huge.png", "reason": "more than 89,478,485 pixels"}]
    assert peak < usual + 50e6
    model = tmp_path / "run" / "model.int8.tflite"
    cli("classify", model, photos / "grass" / "huge.png").fails("huge.png", "more than 89,478,485 pixels")


# Options


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--precision", "int9"), ("no precision 'int9'", "float32, float16, dynamic, int8 or all")),
        (("--preset", "mobilenet_v2_100_225"), ("no preset", "Nearest: mobilenet_v2_100_224", "edgeretrain presets")),
        (("--preset", "nasnet_331"), ("224 x 224 only", "nasnet_mobile")),
        (("--fit", "stretch"), ("'--fit': 'stretch' is not one of 'squash', 'crop'", "retrain --help")),
        (("--class-weight", "some"), ("'--class-weight': 'some' is not one of 'balanced', 'none'", "--help")),
        (("--runtime", "onnx"), ("no runtime 'onnx'", "ai_edge_litert")),
        (("--validation-percentage", "-3"), ("--validation-percentage",)),
        (("--testing-percentage", "nan"), ("testing",)),
        (("--testing-percentage", "many"), ("--testing-percentage",)),
        (("--testing-percentage", "0"), ("must be above 0",)),
        (("--validation-percentage", "60", "--testing-percentage", "60"), ("60 %", "below 100")),
        (("--how-many-training-steps", "4000", "--learning-rate", "nan"), ("diverges", "--learning-rate")),
        (("--how-many-training-steps", "4000", "--learning-rate", "inf"), ("diverges", "smaller --learning-rate")),
        (
            ("--how-many-training-steps", "4000", "--learning-rate", "1e30", "-p", "float16"),
            ("diverges", "Use a smaller --learning-rate"),
        ),
        (("--learning-rate", "0.01"), ("--learning-rate", "Add --how-many-training-steps 4000", "or --fine-tune all")),
        (("--train-batch-size", "8"), ("--train-batch-size", "--how-many-training-steps 4000", "or --fine-tune all")),
        (("--how-many-training-steps", "0"), ("--how-many-training-steps",)),
        (("--train-batch-size", "-1"), ("--train-batch-size",)),
        (("--seed", "-1"), ("--seed",)),
        (("--workers", "0"), ("--workers",)),
        (("--backbone", "nowhere.tflite", "-p", "int8"), ("nowhere.tflite: no such backbone", "feature extractor")),
        (("--backbone", __file__, "-p", "int8"), ("test_bad_input.py: this is not a TFLite model", ".tflite")),
        (("--backbone", __file__), ("one file of one precision", "one --precision")),
    ],
    ids=lambda value: " ".join(value).replace(__file__, "FILE") if value[0].startswith("-") else "",
)
def test_an_option_that_cannot_be_used(
    arguments: tuple[str, ...], says: tuple[str, ...], retrain: Refused, photos: Path
) -> None:
    retrain(photos, *arguments, says=says)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("frobnicate",), ("No such command 'frobnicate'", "--help")),
        (("retrain",), ("Missing argument 'PHOTOS'", "retrain --help")),
        (("retrain", "photos", "--frobnicate"), ("No such option: --frobnicate", "retrain --help")),
        (("retrain", "photos", "photos"), ("unexpected extra argument", "retrain --help")),
        (("backbone", "frobnicate"), ("No such command 'frobnicate'", "backbone --help")),
    ],
    ids=lambda value: " ".join(value),
)
def test_a_command_line_that_cannot_be_understood(
    arguments: tuple[str, ...], says: tuple[str, ...], refused: Refused
) -> None:
    refused(*arguments, says=says, code=2)


def test_no_model_file_is_taken_for_a_backbone(retrain: Refused, photos: Path, run_folder: Path) -> None:
    model = run_folder / "model.float32.tflite"
    retrain(photos, "--backbone", model, "-p", "float32", says=(str(model), "finished classifier", "not a backbone"))


def test_a_backbone_of_another_precision(retrain: Refused, photos: Path, tmp_path: Path) -> None:
    from edgeretrain.paths import bundled_folder

    bundled = bundled_folder() / "mobilenet_v2_100_224.int8.tflite"
    retrain(photos, "--backbone", bundled, "-p", "float32", says=("in int8, not in float32", "--precision int8"))
    bare = tmp_path / "bare.tflite"  # without its card
    shutil.copy(bundled, bare)
    retrain(photos, "--backbone", bare, "-p", "float32", says=("bare.tflite", "not float32 [1, 1280]", "--precision"))


# What is missing


def test_no_network_for_the_flowers(refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://127.0.0.1:9/flower_photos.tgz"  # nobody listens to the discard port
    monkeypatch.setenv("EDGERETRAIN_FLOWERS_URL", url)
    refused("demo", "--flowers", "-q", "--out", tmp_path / "demo", says=(url, "no connection", "without --flowers"))


@pytest.mark.slow
def test_no_network_for_the_weights(
    process: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setenv("EDGERETRAIN_WEIGHTS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    says = ("http://127.0.0.1:9/mobilenet_v2", "no connection", "EDGERETRAIN_WEIGHTS", "--weights FILE")
    process("backbone", "build", "mobilenet_v2_035_96", "-q").fails(*says)
    process("retrain", photos, "--preset", "mobilenet_v2_035_96", "-q", "-o", tmp_path / "run").fails(*says)
    assert not (tmp_path / "run").exists()
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_no_tensorflow_to_build_with(
    retrain: Refused, refused: Refused, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    says = ("mobilenet_v2_035_96", "TensorFlow", 'pip install "edgeretrain[tensorflow]"')
    retrain(photos, "--preset", "mobilenet_v2_035_96", says=(*says, "--preset", "mobilenet_v2_100_224"))
    refused("backbone", "build", "mobilenet_v2_035_96", says=says[1:])


def test_no_tensorflow_to_run_with(refused: Refused, run_folder: Path, photos: Path) -> None:
    if "tensorflow" in sys.modules or shutil.which("tflite_convert"):
        pytest.skip("TensorFlow is installed")
    model = run_folder / "model.int8.tflite"
    refused(
        *("classify", model, photos / "grass" / "0.png", "--runtime", "tensorflow"), says=("tensorflow", "pip install")
    )


# Names


@pytest.mark.parametrize("below", ["plain", "with space", "Grün 草 🌱", "trailing/"])
def test_any_photos_folder(below: str, cli: Run, photos: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / below)
    given = f"{tmp_path}/{below}"
    cli("retrain", given, "--out", f"{tmp_path}/{below.strip('/')} run/", "-q", "-p", "int8").succeeds()
    assert len(list((tmp_path / f"{below.strip('/')} run").iterdir())) == 6


@POSIX
def test_a_line_break_in_the_path(cli: Run, photos: Path, tmp_path: Path, run_folder: Path) -> None:
    (tmp_path / "two\nlines").mkdir()
    cli("retrain", tmp_path / "two\nlines" / "nowhere").fails(r"two\nlines")
    photos.rename(tmp_path / "two\nlines" / "photos")
    cli("retrain", tmp_path / "two\nlines" / "photos", "-o", tmp_path / "a\nrun", "-q", "-p", "int8").succeeds()
    photo = tmp_path / "two\nlines" / "photos" / "grass" / "0.png"
    ended = cli("classify", run_folder / "model.int8.tflite", photo).succeeds()
    assert ended.out.count("\n") == 1
    nowhere = tmp_path / "no\nphoto"
    cli("classify", run_folder / "model.int8.tflite", nowhere).fails(r"no\nphoto: there is no such photo")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are Unicode elsewhere")
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_a_file_name_that_is_no_unicode(encoding: str, process: Run, photos: Path, run_folder: Path) -> None:
    photo = photos / "grass" / os.fsdecode(b"\xff\xe8.png")
    (photos / "grass" / "0.png").rename(photo)
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    for option in ((), ("--json",)):
        ended = process("classify", run_folder / "model.int8.tflite", photo, *option, env=environment)
        assert ended.succeeds().out


def test_relative_paths(
    cli: Run, refused: Refused, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cli("retrain", "photos", "-q", "-p", "int8").succeeds()
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "photos-run"}
    monkeypatch.chdir(photos)
    # The default run folder would lie among the classes.
    refused("retrain", ".", "-q", says=("inside the photos folder", str(tmp_path / "photos-run")))
    cli("retrain", ".", "-q", "-p", "int8", "--out", "../elsewhere").succeeds()
    monkeypatch.chdir(photos / "grass")
    cli("retrain", "..", "-q", "-p", "int8", "--out", "../../third").succeeds()
    assert snapshot(tmp_path / "elsewhere") == snapshot(tmp_path / "third") == snapshot(tmp_path / "photos-run")


@POSIX
def test_without_a_home(process: Run, photos: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    process("retrain", photos, "-o", tmp_path / "run", "-q", "-p", "int8", env=environment).succeeds()


def test_the_labels_are_the_folders(cli: Run, tmp_path: Path) -> None:
    """Names that look like options, markup or patterns are labels like any other."""
    labels = ("-rf", "[bold]x", "a*b" if os.name != "nt" else "a b", "{x}")
    photos = make_photos(tmp_path / "photos", labels=labels, count=4)
    ended = cli("retrain", photos, "-o", tmp_path / "[run]*?" if os.name != "nt" else tmp_path / "r", "-p", "int8")
    (run,) = (path for path in tmp_path.iterdir() if path.name != "photos")
    assert (run / "labels.txt").read_text("utf-8").splitlines() == sorted(labels)
    ended.succeeds()
