"""`edgeretrain classify`, and every kind of file that is no model of ours."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cli.conftest import Run
from edgeretrain.paths import bundled_folder
from edgeretrain.tflite.flatbuffer import read_model, write_model
from edgeretrain.tflite.package import pack, read_package


def test_it_says_what_is_on_a_photo(cli: Run, run_folder: Path, photo_folder: Path) -> None:
    photos = [photo_folder / label / "1.png" for label in ("bricks", "grass")]
    for precision in ("float32", "int8"):
        given = ("classify", run_folder / f"model.{precision}.tflite", *photos, "--reject-below", 0)
        lines = cli(*given).succeeds().out.splitlines()
        assert [line.split()[1] for line in lines] == ["bricks", "grass"]
        assert lines[0].startswith(f"{photos[0]}: bricks ")


def test_top_k_and_json(cli: Run, run_folder: Path, photo_folder: Path) -> None:
    photo = photo_folder / "grass" / "1.png"
    given = ("classify", run_folder / "model.float32.tflite", photo, "--json")
    (answer,) = json.loads(cli(*given).succeeds().out)
    assert answer["photo"] == str(photo)
    assert [prediction["label"] for prediction in answer["predictions"]] == ["grass", "bricks"]
    assert sum(prediction["score"] for prediction in answer["predictions"]) == pytest.approx(1, abs=1e-5)
    (answer,) = json.loads(cli(*given, "-k", 1).succeeds().out)
    assert [prediction["label"] for prediction in answer["predictions"]] == ["grass"]


def test_one_bad_photo_does_not_hide_the_others(cli: Run, run_folder: Path, photo_folder: Path, tmp_path: Path) -> None:
    good, text, cut = photo_folder / "grass" / "1.png", tmp_path / "text.jpg", tmp_path / "cut.png"
    text.write_text("no photo")
    cut.write_bytes(good.read_bytes()[:3000])
    ended = cli("classify", run_folder / "model.int8.tflite", text, tmp_path / "none.jpg", cut, good)
    assert ended.code == 1
    assert ended.out.splitlines() == cli("classify", run_folder / "model.int8.tflite", good).out.splitlines()
    assert ended.told == [
        f"error: {text}: not a JPEG, PNG, WebP, GIF, BMP or TIFF file. Replace or remove this photo.",
        f"error: {tmp_path / 'none.jpg'}: no such file. Replace or remove this photo.",
        f"error: {cut}: truncated or damaged file. Replace or remove this photo.",
    ]


def test_a_folder_means_its_photos(cli: Run, run_folder: Path, photo_folder: Path, tmp_path: Path) -> None:
    model = run_folder / "model.int8.tflite"
    photos = sorted(photo_folder.rglob("*.png"))
    shutil.copy(photos[0], tmp_path / "one.png")
    given = cli("classify", model, photo_folder, tmp_path / "one.png", "--json").succeeds().out
    assert [answer["photo"] for answer in json.loads(given)] == [*map(str, photos), str(tmp_path / "one.png")]
    lines = cli("classify", model, photo_folder).succeeds().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [*map(str, photos)]
    assert lines == [line for photo in photos for line in cli("classify", model, photo).out.splitlines()]


def test_nothing_known(cli: Run, run_folder: Path, photo_folder: Path, tmp_path: Path) -> None:
    """--reject-below, and the score that stands in the model's card."""
    photo = photo_folder / "grass" / "1.png"
    source = run_folder / "model.float32.tflite"
    package = read_package(source)
    model = tmp_path / "model.tflite"
    model.write_bytes(pack(write_model(read_model(source)), package.labels, {**package.card, "reject_below": 1.0}))
    told = f"{photo}: nothing known (grass "
    assert cli("classify", model, photo).succeeds().out.startswith(told)
    assert cli("classify", source, photo, "--reject-below", 1).succeeds().out.startswith(told)
    assert cli("classify", model, photo, "--reject-below", 0).succeeds().out.startswith(f"{photo}: grass ")
    (answer,) = json.loads(cli("classify", model, photo, "--json").succeeds().out)
    assert answer["rejected"] is True and answer["predictions"][0]["label"] == "grass"
    (answer,) = json.loads(cli("classify", model, photo, "--json", "--reject-below", 0).succeeds().out)
    assert answer["rejected"] is False


def test_options_that_cannot_be_used(cli: Run, run_folder: Path, photo_folder: Path) -> None:
    given = ("classify", run_folder / "model.int8.tflite", photo_folder / "grass" / "1.png")
    cli(*given, "--top-k", 0).fails("--top-k")
    cli(*given, "--threads", 0).fails("--threads")
    cli(*given, "--runtime", "onnx").fails("no runtime 'onnx'", "ai_edge_litert")
    cli(*given, "--reject-below", 2).fails("--reject-below")
    cli(*given, "--hold", -1).fails("--hold")
    cli(*given, "--max-fps", 0).fails("--max-fps")
    for option in ("--smooth", "--hold", "--max-fps", "--every"):
        cli(*given, option, 1).fails(f"{option} is for a ", "not for", "1.png")
    cli(*given, "--on-label", "true").fails("--on-label is for a camera, a video or --watch")
    cli(*given[:2], "camera", "--every", 2).fails("--every is for a video, not for camera")


def test_sources_that_cannot_be_used(cli: Run, run_folder: Path, photo_folder: Path, tmp_path: Path) -> None:
    model, photo = run_folder / "model.int8.tflite", photo_folder / "grass" / "1.png"
    (tmp_path / "empty").mkdir()
    cli("classify", model, tmp_path / "empty").fails("empty: there are no photos in this folder", "--watch")
    cli("classify", model, "camra").fails("camra: there is no such photo, folder or video", "`camera:1`")
    cli("classify", model, "camera", photo).fails("camera is a stream", "must be the only source")
    cli("classify", model, photo, "clip.mp4").fails("clip.mp4 is a stream")
    cli("classify", model, "camera", "camera:1").fails("camera is a stream")
    cli("classify", model, tmp_path / "none.mp4").fails("none.mp4: no such file. Check the path")
    for sources in ((photo,), ("camera",), (photo_folder, tmp_path), (tmp_path / "none",)):
        cli("classify", model, *sources, "--watch").fails("--watch needs one folder", str(sources[0]))


def _text(model: Path, _: Path) -> None:
    model.write_text("This is no model, whatever its name says.")


def _empty(model: Path, _: Path) -> None:
    model.write_bytes(b"")


def _folder(model: Path, _: Path) -> None:
    model.mkdir()


def _start_only(model: Path, good: Path) -> None:
    model.write_bytes(good.read_bytes()[:100])


def _half(model: Path, good: Path) -> None:
    data = good.read_bytes()
    model.write_bytes(data[: len(data) // 2])


def _without_its_end(model: Path, good: Path) -> None:
    model.write_bytes(good.read_bytes()[:-100])


def _one_bit(model: Path, good: Path) -> None:
    data = bytearray(good.read_bytes())
    data[len(data) // 3] ^= 1
    model.write_bytes(data)


def _wrong_root(model: Path, good: Path) -> None:
    model.write_bytes(b"\xff\xff\xff\x7f" + good.read_bytes()[4:])


def _foreign(model: Path, _: Path) -> None:
    shutil.copy(bundled_folder() / "mobilenet_v2_100_224.int8.tflite", model)


def _other_makers(model: Path, good: Path) -> None:
    """Labels inside, but no card: nothing says how its photos must be prepared."""
    import zipfile

    shutil.copy(bundled_folder() / "mobilenet_v2_100_224.int8.tflite", model)
    with zipfile.ZipFile(model, "a") as archive:
        archive.writestr("labels.txt", "bricks\ngrass\n")


def _other_input(model: Path, good: Path) -> None:
    tree = read_model(good)
    photo = tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]]
    photo.shape, photo.shapeSignature = np.array([1, 200, 100, 3], np.int32), None
    package = read_package(good)
    model.write_bytes(pack(write_model(tree), package.labels, package.card))


def _one_channel(model: Path, good: Path) -> None:
    tree = read_model(good)
    photo = tree.subgraphs[0].tensors[tree.subgraphs[0].inputs[0]]
    photo.shape, photo.shapeSignature = np.array([1, 224, 224, 1], np.int32), None
    package = read_package(good)
    model.write_bytes(pack(write_model(tree), package.labels, package.card))


def _other_labels(model: Path, good: Path) -> None:
    package = read_package(good)
    model.write_bytes(pack(write_model(read_model(good)), ("bricks", "grass", "sand"), package.card))


BAD_MODELS: list[tuple[Callable[[Path, Path], None], tuple[str, ...]]] = [
    (_text, ("not a TFLite model", "Give a .tflite file")),
    (_empty, ("not a TFLite model", "Give a .tflite file")),
    (_folder, ("cannot be read (Is a directory)", "Give a .tflite file")),
    (_start_only, ("no labels inside", "its end is cut off: copy it again")),
    (_half, ("no labels inside", "its end is cut off: copy it again")),
    (_without_its_end, ("no labels inside", "its end is cut off: copy it again")),
    (_one_bit, ("damaged", "checksum differs", "Copy or make it again")),
    (_wrong_root, ("damaged", "checksum differs", "Copy or make it again")),
    (_foreign, ("no labels inside", "Use a model written by `edgeretrain retrain`")),
    (_other_makers, ("not written by edgeretrain", "Use a model written by `edgeretrain retrain`")),
    (_other_input, ("input is float32 [1, 200, 100, 3]", "Use a model written by `edgeretrain retrain`")),
    (_one_channel, ("cannot load it",)),
    (_other_labels, ("2 outputs but 3 labels", "Make it again")),
]


@pytest.mark.parametrize(("spoil", "says"), BAD_MODELS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_file_that_is_no_model_of_ours(
    spoil: Callable[[Path, Path], None],
    says: tuple[str, ...],
    cli: Run,
    run_folder: Path,
    photo_folder: Path,
    tmp_path: Path,
) -> None:
    model = tmp_path / "model.tflite"
    spoil(model, run_folder / "model.float32.tflite")
    cli("classify", model, photo_folder / "grass" / "1.png").fails(f"{model}: ", *says)
    if spoil is not _other_labels:
        cli("evaluate", model, photo_folder).fails(f"{model}: ", *says)


def test_no_such_model(cli: Run, photo_folder: Path, tmp_path: Path) -> None:
    cli("classify", tmp_path / "no.tflite", photo_folder / "grass" / "1.png").fails("no.tflite: cannot be read")
