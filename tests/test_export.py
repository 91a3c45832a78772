"""Models land in an app's assets under clear names, whole and checked, or nothing changes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from support.garden import Run

from edgeretrain import export
from edgeretrain.classifier import Classifier
from edgeretrain.errors import EdgeretrainError
from edgeretrain.export import asset_name, export_android
from edgeretrain.precision import PRECISIONS
from edgeretrain.tflite.flatbuffer import read_model, write_model
from edgeretrain.tflite.package import pack, read_package


def _run_folder(run: Run, folder: Path, *precisions: str) -> list[Path]:
    folder.mkdir(parents=True)
    return [Path(shutil.copy(run.model(precision), folder / f"model.{precision}.tflite")) for precision in precisions]


def test_every_precision(run: Run, tmp_path: Path) -> None:
    models, out = _run_folder(run, tmp_path / "Flowers", *PRECISIONS), tmp_path / "app" / "assets"
    assets = export_android(models, out)
    names = [f"flowers-{precision}.tflite" for precision in PRECISIONS]
    assert [asset.file for asset in assets] == [out / name for name in names]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    for asset, model, precision in zip(assets, models, PRECISIONS, strict=True):
        assert asset.file.read_bytes() == model.read_bytes()
        assert (asset.model, asset.precision, asset.preset) == (model, precision, "mobilenet_v2_100_224")
        assert (asset.size, asset.labels, asset.length, asset.replaced) == (224, 3, model.stat().st_size, False)


def test_another_export_replaces_the_older_file_and_leaves_the_rest(run: Run, tmp_path: Path) -> None:
    (model,) = _run_folder(run, tmp_path / "run", "int8")
    out = tmp_path / "assets"
    out.mkdir()
    (out / "run-int8.tflite").write_text("older")
    (out / "notes.txt").write_text("kept")
    (asset,) = export_android([model], out)
    assert asset.replaced
    assert asset.file.read_bytes() == model.read_bytes()
    assert sorted(path.name for path in out.iterdir()) == ["notes.txt", "run-int8.tflite"]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("flowers", "flowers-int8.tflite"),
        ("Été 2026", "ete_2026-int8.tflite"),
        ("v1.2_b-3", "v1.2_b-3-int8.tflite"),
        (".hidden", "hidden-int8.tflite"),
        ("_ (1)", "1-int8.tflite"),
        ("花", "mobilenet_v2_100_224-int8.tflite"),
    ],
)
def test_names(folder: str, name: str) -> None:
    card: dict[str, object] = {"precision": "int8", "preset": "mobilenet_v2_100_224"}
    assert asset_name(Path("/data") / folder / "model.int8.tflite", card) == name


def test_the_name_is_that_of_the_real_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _run_folder(run, tmp_path / "birds", "int8")
    monkeypatch.chdir(tmp_path / "birds")
    (asset,) = export_android([Path("model.int8.tflite")], tmp_path / "assets")
    assert asset.file.name == "birds-int8.tflite"


def test_the_same_model_twice(run: Run, tmp_path: Path) -> None:
    (one,) = _run_folder(run, tmp_path / "one", "int8")
    (other,) = _run_folder(run, tmp_path / "other", "int8")
    with pytest.raises(EdgeretrainError, match="the same model as"):
        export_android([one, other], tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_two_models_of_one_name(run: Run, tmp_path: Path) -> None:
    (one,) = _run_folder(run, tmp_path / "a" / "run", "int8")
    (other,) = _run_folder(run, tmp_path / "b" / "Run", "int8")
    package = read_package(other)
    other.write_bytes(pack(write_model(read_model(other)), package.labels, {**package.card, "seed": 7}))
    with pytest.raises(EdgeretrainError, match=r"would be named run-int8\.tflite"):
        export_android([one, other], tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_a_bad_model_keeps_the_good_ones_from_being_copied(run: Run, tmp_path: Path) -> None:
    good, damaged = _run_folder(run, tmp_path / "run", "int8", "float16")
    content = bytearray(damaged.read_bytes())
    content[200_000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(EdgeretrainError, match="damaged"):
        export_android([good, damaged], tmp_path / "assets")
    assert not (tmp_path / "assets").exists()


def test_a_model_that_answers_nonsense(run: Run, tmp_path: Path) -> None:
    (path,) = _run_folder(run, tmp_path / "run", "float32")
    package, model = read_package(path), read_model(path)
    bias = np.full(len(package.labels), np.nan, np.float32).tobytes()
    buffers = [buffer for buffer in model.buffers if buffer.data is not None and len(buffer.data) == len(bias)]
    assert buffers
    for buffer in buffers:
        buffer.data = np.frombuffer(bias, np.uint8)
    path.write_bytes(pack(write_model(model), package.labels, package.card))
    with pytest.raises(EdgeretrainError, match="returns NaN or infinity"):
        export_android([path], tmp_path / "assets")


def test_what_is_copied_is_what_was_checked(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (model,) = _run_folder(run, tmp_path / "run", "int8")
    content = model.read_bytes()

    class Overtaken(Classifier):
        """Another program writes the file while it is checked, and again afterwards."""

        def __init__(self, path: Path, *, runtime: str | None = None) -> None:
            model.write_bytes(b"something else")
            super().__init__(path, runtime=runtime)

        def close(self) -> None:
            super().close()
            model.write_bytes(b"and again")

    monkeypatch.setattr(export, "Classifier", Overtaken)
    (asset,) = export_android([model], tmp_path / "assets")
    assert model.read_bytes() == b"and again"
    assert asset.file.read_bytes() == content
    assert asset.length == len(content)


def test_the_message_names_the_model_that_was_given(run: Run, tmp_path: Path) -> None:
    (model,) = _run_folder(run, tmp_path / "run", "int8")
    content = bytearray(model.read_bytes())
    content[200_000] ^= 1
    model.write_bytes(content)
    with pytest.raises(EdgeretrainError, match="damaged") as caught:
        export_android([model], tmp_path / "assets")
    assert str(caught.value).startswith(f"{model}: the model file is damaged")


def test_folders_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    (model,) = _run_folder(run, tmp_path / "run", "int8")
    for out in (model, model / "assets"):
        with pytest.raises(EdgeretrainError, match=r"is a file, not a folder\. Choose another --out"):
            export_android([model], out)
    taken = tmp_path / "assets" / "run-int8.tflite"
    taken.mkdir(parents=True)
    with pytest.raises(EdgeretrainError, match="cannot be written"):
        export_android([model], taken.parent)
    assert list(taken.parent.iterdir()) == [taken]  # no leftovers
