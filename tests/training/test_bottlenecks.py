"""`--bottleneck multi` and `auto`: what ships, what is reported, that teach goes on with it, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import Pair, Run
from support.plain import retrain, teach

from edgeretrain.backbone import find_backbone
from edgeretrain.backbone.multi_layer import make_variant
from edgeretrain.classifier import Classifier
from edgeretrain.data.photos import find_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.data.split import split_photos
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.head.folds import HeldOut
from edgeretrain.head.sgd import Sgd
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.tflite.flatbuffer import write_model
from edgeretrain.tflite.package import read_package
from edgeretrain.tflite.runtime import Network, Runner
from edgeretrain.tflite.ungraft import HeadModel, cut_backbone
from edgeretrain.training import bottlenecks as bottlenecks_module
from edgeretrain.training.bottlenecks import MOST_PHOTOS, _some

pytest.importorskip("ai_edge_litert")
PRESET = "mobilenet_v2_100_224"
LENGTHS = (1280, 4736, 7616)


@pytest.fixture(scope="module")
def multi(textures: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All precisions with all inner layers. Shared."""
    out = tmp_path_factory.mktemp("multi") / "run"
    return Run(textures, out, retrain(textures, out, precisions=PRECISIONS, bottleneck="multi", cache=cache))


def preferring(place: int) -> Callable[[Any], int]:
    def choose(judged: list[HeldOut]) -> int:
        assert len(judged) == len(LENGTHS)
        return place

    return choose


# What is written


def test_the_run_folder(multi: Run) -> None:
    assert {path.name for path in multi.out.iterdir()} == {
        *(f"model.{precision}.tflite" for precision in PRECISIONS),
        *(f"bottlenecks.{precision}.npz" for precision in PRECISIONS),
        *("labels.txt", "report.json", "report.html", "manifest.json"),
    }
    assert json.loads((multi.out / "report.json").read_text("utf-8")) == json.loads(json.dumps(multi.report))
    for model in multi.report["models"]:
        assert len(model["backbone"]["inner_layers"]) == 11
        assert "bottleneck_choice" not in model["backbone"]
        assert read_package(multi.out / model["file"]).card["backbone"] == model["backbone"]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_one_photo_in_probabilities_out(multi: Run, run: Run, precision: Precision) -> None:
    model, plain = Runner(multi.model(precision)), Runner(run.model(precision))
    assert model.inputs == plain.inputs
    assert [(str(one), one.quantization) for one in model.outputs] == [
        (str(one), one.quantization) for one in plain.outputs
    ]
    assert multi.model(precision).stat().st_size < 1.03 * run.model(precision).stat().st_size
    assert HeadModel(multi.model(precision)).length == LENGTHS[-1]


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_backbone_inside_is_the_variant(multi: Run, tmp_path: Path, precision: Precision) -> None:
    variant = make_variant(find_backbone(PRESET, precision), tmp_path).backbone
    (tmp_path / "cut.tflite").write_bytes(cut_backbone(multi.model(precision)))
    found, expected = Network(tmp_path / "cut.tflite"), Network(variant.path)
    for path in sorted(multi.photos.rglob("*.*"))[::12]:
        pixels = load_pixels(path, 224)
        assert np.array_equal(found(pixels), expected(pixels))


def test_the_figures_are_those_of_the_files(multi: Run) -> None:
    testing = split_photos(find_photos(multi.photos)).testing
    for model in multi.report["models"]:
        classifier = Classifier(multi.out / model["file"])
        right = [
            classifier.labels[int(classifier.probabilities(photo.path).argmax())] == photo.label for photo in testing
        ]
        assert model["evaluation"]["top1"] == pytest.approx(np.mean(right))
        assert model["evaluation"]["top1"] > 0.7


def test_teach_goes_on_with_it(multi: Run, pair: Pair, textures: Path, cache: Path, tmp_path: Path) -> None:
    """The two classes of `pair` with inner layers, and then the third one: the models of a retrain on all."""
    photos = tmp_path / "photos"
    for label in ("checks", "stripes"):
        for path in (textures / label).iterdir():
            (photos / label).mkdir(parents=True, exist_ok=True)
            (photos / label / path.name).write_bytes(path.read_bytes())
    retrain(photos, tmp_path / "two", precisions=["float32", "int8"], bottleneck="multi", cache=cache)
    report = teach(tmp_path / "two", tmp_path / "three", add={"dots": pair.dots}, cache=cache)
    for model in report["models"]:
        assert len(model["backbone"]["inner_layers"]) == 11
        name = model["file"]
        digests = [read_package(folder / name).card["flatbuffer_sha256"] for folder in (tmp_path / "three", multi.out)]
        assert digests[0] == digests[1]


# The choice


@pytest.mark.parametrize("place", [0, 1, 2])
def test_each_choice(
    run: Run, multi: Run, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    monkeypatch.setattr(bottlenecks_module, "choose_narrowest", preferring(place))
    report = retrain(run.photos, tmp_path / "run", bottleneck="auto", cache=cache)
    for model in report["models"]:
        choice = model["backbone"]["bottleneck_choice"]
        assert choice["chosen"] == place
        assert tuple(one["length"] for one in choice["candidates"]) == LENGTHS
        assert len(model["backbone"].get("inner_layers", ())) == (0, 4, 11)[place]
        path = tmp_path / "run" / model["file"]
        assert HeadModel(path).length == LENGTHS[place]
        same = {0: run, 2: multi}.get(place)
        if same is not None:  # the very file that asking for it gives
            asked = read_package(same.model(model["precision"])).card["flatbuffer_sha256"]
            assert read_package(path).card["flatbuffer_sha256"] == asked
        classifier = Classifier(path)
        testing = split_photos(find_photos(run.photos)).testing
        right = [
            classifier.labels[int(classifier.probabilities(photo.path).argmax())] == photo.label for photo in testing
        ]
        assert model["evaluation"]["top1"] == pytest.approx(np.mean(right))


def test_the_choice_is_told(run: Run, cache: Path, tmp_path: Path) -> None:
    report = retrain(run.photos, tmp_path / "run", precisions=["int8"], bottleneck="auto", cache=cache)
    choice = report["models"][0]["backbone"]["bottleneck_choice"]
    split = split_photos(find_photos(run.photos))
    assert choice["photos"] == len(split.training) + len(split.validation)
    assert choice["folds"] == 5
    losses = [one["log_loss"] for one in choice["candidates"]]
    best = int(np.argmin(losses))
    for place, one in enumerate(choice["candidates"]):
        assert one["above_best"] == pytest.approx(losses[place] - losses[best])
        assert (one["standard_error"] == 0) == (place == best)
        if place < choice["chosen"]:
            assert one["above_best"] > one["standard_error"]
    chosen = choice["candidates"][choice["chosen"]]
    assert chosen["above_best"] <= chosen["standard_error"] or choice["chosen"] == best


def test_neither_cores_nor_the_cache_change_a_byte(run: Run, cache: Path, tmp_path: Path) -> None:
    retrain(run.photos, tmp_path / "one", precisions=["int8"], bottleneck="auto", cache=cache)
    retrain(run.photos, tmp_path / "other", precisions=["int8"], bottleneck="auto", cache=tmp_path / "new", workers=1)
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {path.name for path in (tmp_path / "other").iterdir()}
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes(), name


def test_one_pass_serves_all_candidates(run: Run, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The photos go through the variant with all layers, and through nothing else."""
    extract = Extractor.extract
    columns: list[Path] = []

    def counted(self: Extractor, files: Any, given: list[Column], **how: Any) -> Any:
        columns.extend(column.backbone.path for column in given)
        return extract(self, files, given, **how)

    monkeypatch.setattr(Extractor, "extract", counted)
    monkeypatch.setattr(bottlenecks_module, "choose_narrowest", preferring(1))
    retrain(run.photos, tmp_path / "run", precisions=["int8"], bottleneck="auto", cache=tmp_path / "new")
    assert [path.parent.name for path in columns] == ["all"]


def test_with_very_many_photos_some_choose() -> None:
    photos = find_photos_of(3 * MOST_PHOTOS)
    some = _some(photos)
    assert len(some) == pytest.approx(MOST_PHOTOS, abs=2)
    assert sum(photo.label == "a" for photo in some) == pytest.approx(MOST_PHOTOS / 3, abs=2)
    assert {photo.name for photo in _some(photos[::-1])} == {photo.name for photo in some}
    assert len(_some(photos[:100])) == 100


def find_photos_of(count: int) -> list[Any]:
    from edgeretrain.data.photos import Photo

    labels = ["a", "b", "b"] * (count // 3)
    return [
        Photo(Path(f"{number}.jpg"), f"{label}/{number}.jpg", label, f"{number:064x}")
        for number, label in enumerate(labels)
    ]


# What does not go


def put_network_without_layers(folder: Path) -> Path:
    """A matrix product of the pixels."""
    from importers.tflite_files import SmallFile

    file = SmallFile()
    shape = file.constant(np.array([1, 192], np.int32))
    flat = file.operator("RESHAPE", [file.photo(1, 8, 8, 3), shape], [file.tensor(1, 192)])
    weights = file.constant(np.random.default_rng(0).normal(0, 0.01, (12, 192)).astype(np.float32))
    dense = file.operator("FULLY_CONNECTED", [flat, weights, -1], [file.tensor(1, 12)], "FullyConnectedOptions")
    file.graph.outputs = [dense]
    path = folder / "flat.tflite"
    path.write_bytes(write_model(file.model))
    return path


def test_a_backbone_without_inner_layers(run: Run, cache: Path, tmp_path: Path) -> None:
    own = put_network_without_layers(tmp_path)
    given: dict[str, Any] = {"precisions": ["float32"], "backbone": own, "cache": cache}
    with pytest.raises(EdgeretrainError, match=r"flat\.tflite: has no inner layer.*Use --bottleneck features"):
        retrain(run.photos, tmp_path / "run", bottleneck="multi", **given)
    assert not (tmp_path / "run").exists()
    report = retrain(run.photos, tmp_path / "run", bottleneck="auto", **given)
    assert report["models"][0]["backbone"].keys() == {"sha256"}
    plain = retrain(run.photos, tmp_path / "plain", **given)
    assert report == plain


def test_fine_tuning_does_not_go_with_it(run: Run, tmp_path: Path) -> None:
    for kind in ("multi", "auto"):
        with pytest.raises(EdgeretrainError, match="--fine-tune trains a head on the last layer only"):
            retrain(run.photos, tmp_path / "run", bottleneck=kind, fine_tune=FineTuning())  # type: ignore[arg-type]


def test_gradient_descent_cannot_choose(run: Run, cache: Path, tmp_path: Path) -> None:
    options = Options(sgd=Sgd(steps=20))
    with pytest.raises(EdgeretrainError, match="--bottleneck auto compares heads by logistic regression"):
        retrain(run.photos, tmp_path / "run", bottleneck="auto", options=options, cache=cache)
    report = retrain(
        run.photos, tmp_path / "run", precisions=["int8"], bottleneck="multi", options=options, cache=cache
    )
    assert len(report["models"][0]["backbone"]["inner_layers"]) == 11


def test_three_photos_a_class(textures: Path, cache: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("checks", "dots"):
        (photos / label).mkdir(parents=True)
        for path in sorted((textures / label).iterdir())[:3]:
            (photos / label / path.name).write_bytes(path.read_bytes())
    report = retrain(photos, tmp_path / "run", precisions=["int8"], bottleneck="auto", cache=cache)
    choice = report["models"][0]["backbone"]["bottleneck_choice"]
    assert (choice["photos"], choice["chosen"]) == (4, 0)
    assert [one["length"] for one in choice["candidates"]] == [1280]


def test_mirrored_photos_are_cut_to_length_too(run: Run, cache: Path, tmp_path: Path) -> None:
    report = retrain(
        run.photos,
        tmp_path / "run",
        precisions=["int8"],
        bottleneck="auto",
        options=Options(flip_left_right=True),
        cache=cache,
    )
    choice = report["models"][0]["backbone"]["bottleneck_choice"]
    length = choice["candidates"][choice["chosen"]]["length"]
    with np.load(tmp_path / "run" / "bottlenecks.int8.npz") as kept:
        arrays = [kept[name] for name in kept.files if name != "photos.json"]
    assert {array.shape[1] for array in arrays if array.ndim == 2} == {length}
