"""Photos flow once: how often a retrain, a sweep and an evaluation open and decode each photo."""

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.garden import write_textures

from edgeretrain.data import pixels as pixels_module
from edgeretrain.evaluation.evaluate import evaluate_folder
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS
from edgeretrain.report import thumbnail
from edgeretrain.sweep import sweep
from edgeretrain.training.retrain import retrain
from edgeretrain.training.teach import teach

pytest.importorskip("ai_edge_litert")


class Counts:
    """Opens and decodes of photos, those for thumbnails apart."""

    def __init__(self, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opened: Counter[str] = Counter()
        self.decoded = 0
        self.shown: Counter[str] = Counter()
        open_path, decode, draw = Path.open, pixels_module._decode, thumbnail._thumbnail
        drawing: list[Path] = []

        def counted_open(path: Path, *given: Any, **options: Any) -> Any:
            if photos in path.parents and not drawing:
                self.opened[path.relative_to(photos).as_posix()] += 1
            return open_path(path, *given, **options)

        def counted_decode(*given: Any) -> Any:
            self.decoded += not drawing
            return decode(*given)

        def counted_draw(path: Path) -> bytes:
            self.shown[path.name] += 1
            drawing.append(path)
            try:
                return draw(path)
            finally:
                drawing.remove(path)

        monkeypatch.setattr(Path, "open", counted_open)
        monkeypatch.setattr(pixels_module, "_decode", counted_decode)
        monkeypatch.setattr(thumbnail, "_thumbnail", counted_draw)


@pytest.fixture
def photos(textures: Path, tmp_path: Path) -> Path:
    """72 photos, one of which cannot be decoded and one of which is not even a photo."""
    folder = Path(shutil.copytree(textures, tmp_path / "photos"))
    cut = folder / "dots" / "d05.jpeg"
    cut.write_bytes(cut.read_bytes()[:-300])
    (folder / "dots" / "empty.png").write_bytes(b"")
    return folder


@pytest.fixture
def counts(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(photos, monkeypatch)


def names(photos: Path) -> set[str]:
    return {path.relative_to(photos).as_posix() for path in photos.rglob("*.*") if path.is_file()}


@pytest.mark.parametrize("flip", [False, True])
def test_a_retrain_of_all_precisions_decodes_each_photo_once(
    photos: Path, counts: Counts, tmp_path: Path, flip: bool
) -> None:
    options = Options(flip_left_right=flip)
    report = retrain(photos, tmp_path / "run", precisions=PRECISIONS, options=options, cache=tmp_path / "cache")
    assert counts.opened == dict.fromkeys(names(photos), 1)
    assert counts.decoded == 72
    wrong = {mistake["photo"] for model in report["models"] for mistake in model["evaluation"]["mistakes"]}
    assert set(counts.shown.values()) <= {1} and len(counts.shown) == len(wrong)


def test_a_warm_retrain_decodes_the_test_photos_only(photos: Path, counts: Counts, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "run", precisions=PRECISIONS, cache=tmp_path / "cache")
    counts.opened.clear()
    counts.decoded = 0
    report = retrain(photos, tmp_path / "run", precisions=PRECISIONS, cache=tmp_path / "cache")
    assert counts.opened == dict.fromkeys(names(photos), 1)
    assert counts.decoded == sum(report["photos"]["testing"].values()) + 1  # and the one that cannot be decoded


def test_a_sweep_decodes_each_photo_once_per_input_size(photos: Path, counts: Counts, tmp_path: Path) -> None:
    presets = ["mobilenet_v1_100_224", "mobilenet_v2_100_224"]
    result = sweep(
        photos, tmp_path / "sweep", presets=presets, precisions=["int8"], latency=False, cache=tmp_path / "cache"
    )
    assert len(result["candidates"]) == 2
    assert counts.opened == dict.fromkeys(names(photos), 1)
    assert counts.decoded == 72
    assert set(counts.shown.values()) <= {1}


def test_a_finished_sweep_decodes_nothing(photos: Path, counts: Counts, tmp_path: Path) -> None:
    again: dict[str, Any] = {
        "presets": ["mobilenet_v2_100_224"],
        "precisions": ["int8"],
        "latency": False,
        "cache": tmp_path / "cache",
    }
    first = sweep(photos, tmp_path / "sweep", **again)
    counts.opened.clear()
    counts.decoded = 0
    assert sweep(photos, tmp_path / "sweep", **again) == first
    assert counts.opened == dict.fromkeys(names(photos), 1)
    assert counts.decoded == 0


def test_an_evaluation_opens_each_photo_once(photos: Path, counts: Counts, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "run", precisions=["int8"], cache=tmp_path / "cache")
    model = tmp_path / "run" / "model.int8.tflite"
    for testing_only in (None, (10.0, 10.0)):
        counts.opened.clear()
        counts.decoded = 0
        figures, _ = evaluate_folder(model, photos, testing_only=testing_only)
        assert counts.opened == dict.fromkeys(names(photos), 1)
        assert counts.decoded <= figures.photos + 1


def test_teach_opens_each_new_photo_once(photos: Path, counts: Counts, tmp_path: Path) -> None:
    retrain(photos, tmp_path / "run", precisions=["float32", "int8"], cache=tmp_path / "cache")
    new = photos / "new"  # below the folder whose photos are counted
    write_textures(new.with_name("source"))
    shutil.move(new.with_name("source") / "stripes", new)
    counts.opened.clear()
    counts.decoded = 0
    for path in new.iterdir():  # other photos than those that the model knows
        with Image.open(path) as image:
            image.rotate(90).convert("RGB").save(path.with_suffix(".png"))
        if path.suffix != ".png":
            path.unlink()
    counts.opened.clear()
    report = teach(tmp_path / "run", tmp_path / "taught", add={"slanted": new}, cache=tmp_path / "cache")
    assert report["taught"]["added"] == {"slanted": 24}
    assert counts.opened == {f"new/{path.name}": 1 for path in new.iterdir()}
    assert counts.decoded == 24


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*") if path.is_file()}


def test_same_bytes_for_any_number_of_workers_cold_and_warm(photos: Path, tmp_path: Path) -> None:
    made = []
    for workers in (1, 2, 4):
        for _ in ("cold", "warm"):
            retrain(
                photos, tmp_path / "run", precisions=PRECISIONS, cache=tmp_path / f"cache{workers}", workers=workers
            )
            made.append(contents(tmp_path / "run"))
    assert all(files == made[0] for files in made)


def test_a_sweep_writes_the_same_bytes_as_retrains(photos: Path, tmp_path: Path) -> None:
    presets = ["mobilenet_v1_100_224", "mobilenet_v2_100_224"]
    for workers in (1, 4):
        sweep(
            photos,
            tmp_path / f"sweep{workers}",
            presets=presets,
            precisions=["int8"],
            latency=False,
            cache=tmp_path / f"cache{workers}",
            workers=workers,
        )
    swept = contents(tmp_path / "sweep1")
    assert swept == contents(tmp_path / "sweep4")
    for preset in presets:
        retrain(photos, tmp_path / preset, preset=preset, precisions=["int8"], keep_bottlenecks=False)
        own = {name.removeprefix(f"{preset}/"): content for name, content in swept.items() if name.startswith(preset)}
        assert own == contents(tmp_path / preset)
