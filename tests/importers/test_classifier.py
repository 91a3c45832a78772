"""Finished classifiers of retrain.py and TensorFlow for Poets come home, with the scores that they had."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.garden import Pair
from support.old_graphs import (
    SIZE,
    download_nudity,
    graph_of,
    hub,
    inception_graph,
    photos,
    poets_graph,
    run,
    slim,
    slim_body,
    write,
)

from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.classifier import import_graph, plain_name, read_labels
from edgeretrain.precision import PRECISIONS

LABELS = "roses\ntulips\ndaisy\n"


def labels_file(folder: Path, text: str | bytes = LABELS) -> Path:
    path = folder / "old_labels.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("roses\ntulips\n", ("roses", "tulips")),
        ("roses\r\ntulips", ("roses", "tulips")),
        (b"\xef\xbb\xbfroses\ntulips\n\n", ("roses", "tulips")),
        ("not a hot dog\nhot dog\n", ("not a hot dog", "hot dog")),
        ("1 roses\n2 tulips\n", ("1 roses", "2 tulips")),
        ("0 roses\ntulips\n", ("0 roses", "tulips")),
        ("0\n1\n2\n", ("0", "1", "2")),
        ("été\n木\n", ("été", "木")),
    ],
)
def test_labels_are_read_as_they_are(text: str | bytes, labels: tuple[str, ...], tmp_path: Path) -> None:
    assert read_labels(labels_file(tmp_path, text)) == (labels, ())


@pytest.mark.parametrize("text", ["0 roses\n1 field of tulips\n", "0: roses\r\n1:field of tulips\r\n"])
def test_numbers_that_count_the_labels_are_taken_off(text: str, tmp_path: Path) -> None:
    labels, told = read_labels(labels_file(tmp_path, text))
    assert labels == ("roses", "field of tulips")
    assert told == ("Labels: the numbers at the start of the lines are removed, as in 'roses'.",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it holds no label"),
        ("\n\n", "it holds no label"),
        ("roses\n\ntulips\n", "line 2 is empty"),
        ("roses\ntulips\nroses\n", "'roses' appears twice"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
    ],
)
def test_labels_that_cannot_be(text: str | bytes, says: str, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=says) as error:
        read_labels(labels_file(tmp_path, text))
    assert "old_labels.txt" in str(error.value)


def test_a_labels_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"gone\.txt: cannot be read .*--labels"):
        read_labels(tmp_path / "gone.txt")


def test_the_name_in_the_card_is_plain() -> None:
    assert plain_name(Path("My Graph (2).pb")) == "my_graph_2"
    assert plain_name(Path("木.pb")) == "imported"


def test_an_imported_model_cannot_be_taught(pair: Pair, tmp_path: Path) -> None:
    from support.plain import teach

    from edgeretrain.tflite.package import pack, read_package

    model = pair.run / "model.float32.tflite"
    with zipfile.ZipFile(model) as archive:
        length = min(info.header_offset for info in archive.infolist())
    package = read_package(model)
    imported = tmp_path / "model.float32.tflite"
    card = {**package.card, "imported": {"file": "retrained_graph.pb"}}
    imported.write_bytes(pack(model.read_bytes()[:length], package.labels, card))
    with pytest.raises(EdgeretrainError, match=r"was imported, .* cannot be taught\. Retrain with photos"):
        teach(imported, tmp_path / "out", add={"dots": pair.dots})


needs_tensorflow = pytest.mark.tensorflow


def imported(graph: Path, out: Path, **options: Any) -> Any:
    pytest.importorskip("tensorflow")
    options = {"precisions": PRECISIONS, **options}
    return import_graph(graph, labels_file(graph.parent, options.pop("labels", LABELS)), out, **options)


def scores(model: Path, pixels: np.ndarray) -> np.ndarray:
    from edgeretrain import Classifier

    with Classifier(model) as classifier:
        return np.stack([classifier.probabilities(one) for one in pixels])


@needs_tensorflow
def test_poets_graph_comes_home_in_all_precisions(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    graph_def = poets_graph()
    graph = write(graph_def, tmp_path / "retrained_graph.pb")
    out = tmp_path / "home"
    done = imported(graph, out)
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["labels.txt", "manifest.json", *(f"model.{precision}.tflite" for precision in PRECISIONS)]
    )
    assert (out / "labels.txt").read_text() == LABELS
    assert done.labels == ("roses", "tulips", "daisy")
    assert "MobilenetV1/Logits/Conv2d_1c_1x1/convolution and final_training_ops/Wx_plus_b/MatMul" in done.notes[1]
    expected = run(graph_def, "input:0", "final_result:0", Scaling.between(-1, 1)(photos()))
    assert expected.std() > 0.05
    for precision, tolerance in zip(PRECISIONS, (1e-4, 1e-2, 5e-2, 0.1), strict=True):
        actual = scores(out / f"model.{precision}.tflite", photos())
        assert np.abs(actual - expected).max() < tolerance, precision
    model = next(one for one in done.models if one.precision == "float32")
    assert model.difference < 1e-4
    assert model.photos == model.same_label == 16
    assert model.bytes == (out / model.file).stat().st_size

    again = tmp_path / "again"
    imported(graph, again, precisions=["float32", "int8"])
    for path in again.iterdir():
        if path.name == "manifest.json":  # it lists two models, the other one four
            continue
        assert (out / path.name).read_bytes() == path.read_bytes()
    assert str(tmp_path).encode() not in b"".join(path.read_bytes() for path in out.iterdir())


@needs_tensorflow
def test_what_an_imported_model_is_used_for(tmp_path: Path, textures: Path) -> None:
    """`evaluate`, `export android`, `inspect`, and `benchmark` take it; `teach` says why it does not."""
    pytest.importorskip("tensorflow")
    from support.plain import teach

    from edgeretrain.benchmark import benchmark
    from edgeretrain.evaluation.evaluate import evaluate_folder
    from edgeretrain.export import export_android
    from edgeretrain.tflite.inspect import inspect_model
    from edgeretrain.tflite.package import read_package

    labels = "".join(f"{path.name}\n" for path in sorted(textures.iterdir(), reverse=True))
    graph = write(poets_graph(), tmp_path / "retrained_graph.pb")
    out = tmp_path / "home"
    imported(graph, out, labels=labels, precisions=["int8"])
    model = out / "model.int8.tflite"
    evaluation, skipped = evaluate_folder(model, textures)
    assert (sum(sum(row) for row in evaluation.confusion), skipped) == (72, [])
    (asset,) = export_android([model], tmp_path / "assets")
    assert asset.labels == 3
    card = read_package(model).card
    assert (card["preset"], card["fit"]) == ("retrained_graph", "squash")
    assert card["head"]["method"] == "imported"
    assert card["imported"]["file"] == card["backbone"]["source"]["file"] == "retrained_graph.pb"
    assert card["backbone"]["calibration"]["photos"] == 56
    assert inspect_model(model)["labels"] == labels.split()
    assert not benchmark([model], runs=3, seconds=0.1).failures
    with pytest.raises(EdgeretrainError, match="was imported"):
        teach(out, tmp_path / "taught", add={"more": textures / "dots"})


@needs_tensorflow
@pytest.mark.parametrize("kind", ["hub", "2015"])
def test_retrain_py_comes_home(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    graph_def = graph_of(hub) if kind == "hub" else inception_graph()
    feed, scaling = (
        ("Placeholder:0", Scaling.between(0, 1)) if kind == "hub" else ("ResizeBilinear:0", Scaling.between(0, 255))
    )
    out = tmp_path / "home"
    imported(write(graph_def, tmp_path / "output_graph.pb"), out, precisions=["float32", "int8"])
    expected = run(graph_def, feed, "final_result:0", scaling(photos()))
    assert np.abs(scores(out / "model.float32.tflite", photos()) - expected).max() < 1e-4
    assert np.abs(scores(out / "model.int8.tflite", photos()) - expected).max() < 0.1


@needs_tensorflow
def test_the_real_one_comes_home(cache: Path, tmp_path: Path) -> None:
    """MobileNet 1.0/224 retrained by TensorFlow for Poets in 2018, two classes, on real photos."""
    pytest.importorskip("tensorflow")
    import tensorflow as tf

    from edgeretrain.data.pixels import load_pixels

    root = Path(os.environ.get("EDGERETRAIN_PHOTOS", "nowhere")) / "trashnet"
    if not root.is_dir():
        pytest.skip("EDGERETRAIN_PHOTOS names no folder that holds trashnet")
    graph = download_nudity(cache / "nudity")
    labels = tmp_path / "labels.txt"
    labels.write_text("nude\nnotnude\n")
    import_graph(graph, labels, tmp_path / "home", precisions=["float32"])
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString(graph.read_bytes())
    paths = sorted(root.rglob("*.jpg"))
    pixels = np.stack([load_pixels(path, 224, "squash") for path in paths[:: len(paths) // 12]])
    expected = run(graph_def, "input:0", "final_result:0", Scaling.between(-1, 1)(pixels))
    assert expected.std() > 0.05
    actual = scores(tmp_path / "home" / "model.float32.tflite", pixels)
    assert np.abs(actual - expected).max() < 1e-4


def dense(tf: Any, function: Any) -> None:
    values = tf.reduce_mean(slim_body(tf, tf.placeholder(tf.float32, (1, SIZE, SIZE, 3)), "MobilenetV1"), (1, 2))
    function(tf.matmul(values, np.ones((24, 3), np.float32)), name="end")


def rounding(tf: Any) -> None:
    values = slim_body(tf, tf.placeholder(tf.float32, (1, SIZE, SIZE, 3)), "MobilenetV1")
    values = tf.reduce_mean(tf.quantization.fake_quant_with_min_max_vars(values, 0.0, 6.0, num_bits=4), (1, 2))
    kernel = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    tf.nn.softmax(tf.matmul(values, kernel), name="end")


@needs_tensorflow
@pytest.mark.parametrize(
    ("build", "options", "says"),
    [
        (lambda tf: dense(tf, tf.nn.softmax), {"labels": "a\nb\n"}, ("holds 2 labels", "has 3 outputs")),
        (lambda tf: dense(tf, tf.sigmoid), {}, ("end:0 comes from Sigmoid", "backbone build NAME --from old.pb")),
        (lambda tf: dense(tf, tf.identity), {}, ("a dense layer without softmax", "--output")),
        (
            lambda tf: tf.reduce_mean(slim_body(tf, tf.placeholder(tf.float32, (1, 32, 32, 3)), "MobilenetV1"), (1, 2)),
            {},
            ("comes from no dense layer",),
        ),
        (slim, {}, ("holds 3 labels", "has 1001 outputs")),
        (rounding, {}, ("FakeQuant", "away from those of the whole graph")),
        (lambda tf: dense(tf, tf.nn.softmax), {"output": "ends"}, ("'ends' (--output)", "Did you mean end")),
    ],
)
def test_graphs_that_cannot_come_home(build: Any, options: Any, says: tuple[str, ...], tmp_path: Path) -> None:
    graph = write(graph_of(build), tmp_path / "old.pb")
    with pytest.raises(EdgeretrainError) as error:
        imported(graph, tmp_path / "home", precisions=["float32"], **options)
    for word in ("old.pb", *says):
        assert word in str(error.value)
    assert not (tmp_path / "home").exists()


@needs_tensorflow
def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("dear")
    graph = write(poets_graph(), tmp_path / "old.pb")
    with pytest.raises(EdgeretrainError, match="which edgeretrain did not write"):
        imported(graph, tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["letter.txt"]


@needs_tensorflow
def test_calibration_photos_of_ones_own(tmp_path: Path, textures: Path) -> None:
    pytest.importorskip("tensorflow")
    graph = write(poets_graph(), tmp_path / "old.pb")
    imported(graph, tmp_path / "home", precisions=["int8"], calibration=textures)
    from edgeretrain.tflite.package import read_package

    card = json.loads(json.dumps(read_package(tmp_path / "home" / "model.int8.tflite").card))
    assert card["backbone"]["calibration"]["source"] == "folder photos"
