"""SavedModels and TensorFlow Hub modules as sources, each held against TensorFlow's own result on real photos."""

import http.server
import json
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgeretrain.backbone.build import run_source
from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.build import build_from_source
from edgeretrain.importers.saved_model import open_saved_model
from edgeretrain.importers.sources import open_source
from edgeretrain.precision import Precision
from importers.modules import (
    CLASSES,
    FEATURES,
    SIZE,
    Row,
    opened,
    row,
    write_hub_module,
    write_session_module,
    write_small,
)

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("own_cache")]


def pixels_of(folder: Path, count: int = 4) -> npt.NDArray[np.uint8]:
    from edgeretrain.data.pixels import load_pixels

    photos = sorted(folder.rglob("*.jpg"))
    return np.stack([load_pixels(photo, SIZE) for photo in photos[:: len(photos) // count][:count]])


def prove(
    source: str, trash: Path, tmp_path: Path, expected: Callable[[Row], Row], *precisions: Precision, **overrides: Any
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Build backbones, hold the float32 one against TensorFlow on photos, retrain; the card and what was found."""
    from support.plain import retrain

    cache = tmp_path / "cache" / "backbones"
    wanted = precisions or ("float32",)
    built, found = build_from_source(
        "mine", source, wanted, overrides=SourceOverrides(**overrides), calibration=trash, out=cache
    )
    photos = pixels_of(trash)
    rows = expected(photos.astype(np.float32))
    error = np.abs(bottlenecks_of(built[0].path.read_bytes(), photos) - rows).max() / np.abs(rows).max()
    assert error <= 1e-4
    report = retrain(trash, tmp_path / "run", preset="mine", precisions=wanted, cache=tmp_path / "cache")
    for model in report["models"]:
        assert model["evaluation"]["top1"] > 0.6, model["precision"]  # a third by chance
    text = (tmp_path / "run" / "report.json").read_text() + json.dumps(built[0].card)
    assert str(tmp_path) not in text
    return built[0].card, found


def test_a_hub_module_by_its_handle(hub_module: Path, trash: Path, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    with tarfile.open(tmp_path / "module.tar.gz", "w:gz") as packed:
        packed.add(hub_module, ".")
    content = (tmp_path / "module.tar.gz").read_bytes()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(
                200 if self.path == "/google/mobilenet/feature_vector/1?tf-hub-format=compressed" else 404
            )
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        handle = f"http://127.0.0.1:{server.server_port}/google/mobilenet/feature_vector/1"
        loaded = tf.saved_model.load(str(hub_module))
        card, found = prove(
            handle, trash, tmp_path, lambda photos: loaded(photos / 255, training=False).numpy(), "float32", "int8"
        )
        server.shutdown()
    assert (card["bottleneck"], card["resolution"], card["parameters"]) == (FEATURES, SIZE, 218_544)
    origin = card["source"]
    assert (origin["kind"], origin["handle"], origin["scale"]) == ("TensorFlow Hub module", handle, "0..1")
    assert found[0] == "TensorFlow Hub module, signature __call__."
    assert "128 pixels, values 0..1" in found[1]
    assert "256 values: default, as it is" in found[2]
    # Found again without the network, the same bytes.
    again = open_source(handle, SourceOverrides())
    assert again.card["source"] == origin


def test_a_hub_classifier_is_cut_before_its_scores(
    classifier_model: Any, features_model: Any, trash: Path, tmp_path: Path
) -> None:
    folder = write_hub_module(tmp_path / "module", classifier_model)
    source = opened(folder)
    assert "256 values; the 1,000 class scores of default are cut off" in source.notes[2]
    photos = pixels_of(trash)
    expected = features_model(photos / 127.5 - 1).numpy()  # the two weight files hold the same backbone
    assert np.abs(run_source(source, photos) - expected).max() <= 1e-4 * expected.max()


def test_a_keras_export_that_scales_its_pixels_itself(
    classifier_model: Any, features_model: Any, trash: Path, tmp_path: Path
) -> None:
    tf = pytest.importorskip("tensorflow")
    layers = [tf.keras.Input((SIZE, SIZE, 3)), tf.keras.layers.Rescaling(1 / 127.5, -1), classifier_model]
    tf.keras.Sequential(layers).export(str(tmp_path / "exported"), verbose=False)
    card, found = prove(
        str(tmp_path / "exported"),
        trash,
        tmp_path,
        lambda photos: features_model(photos / 127.5 - 1).numpy(),
    )
    assert (card["source"]["kind"], card["source"]["scale"]) == ("SavedModel", "0..255")
    assert found[0] == "SavedModel, signature serving_default."
    assert "the graph scales raw pixels" in found[1]


def test_a_tf1_hub_module(session_module: Path, trash: Path, tmp_path: Path) -> None:
    card, found = prove(str(session_module), trash, tmp_path, session_features(session_module))
    assert (card["source"]["kind"], card["resolution"]) == ("TensorFlow Hub module", SIZE)
    assert found[0] == "TensorFlow Hub module, signature image_feature_vector."
    assert "values 0..1 (the graph scales pixels of 0 to 1)" in found[1]
    assert "--layer could also be MobilenetV1/Conv2d_13" in found[2]


def session_features(folder: Path) -> Callable[[Row], Row]:
    """What a session gives for the signature image_feature_vector."""
    tf = pytest.importorskip("tensorflow")

    def run(photos: Row) -> Row:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            graph = tf.compat.v1.saved_model.load(session, [], str(folder))
            signature = graph.signature_def["image_feature_vector"]
            feed = {signature.inputs["images"].name: photos / 255}
            return np.asarray(session.run(signature.outputs["default"].name, feed))

    return run


@pytest.mark.parametrize(
    ("layer", "length", "text"),
    [
        ("image_classification", FEATURES, "the 1,000 class scores of default are cut off"),
        ("image_classification:default", CLASSES, "default, as it is"),
        ("MobilenetV1/Conv2d_13", FEATURES, "MobilenetV1/Conv2d_13, as it is"),
        ("MobilenetV1/logits", CLASSES, "MobilenetV1/logits:0, 1,000 values."),
        ("MobilenetV1/Relu6_4:0", 32, "MobilenetV1/Relu6_4:0, 32 values"),
    ],
)
def test_layer_is_a_signature_an_output_or_a_tensor(session_module: Path, layer: str, length: int, text: str) -> None:
    source = opened(session_module, layer=layer)
    assert row(source).shape == (length,)
    assert text in source.notes[2]


def test_a_layer_that_is_nothing_is_suggested_for(session_module: Path) -> None:
    with pytest.raises(
        EdgeretrainError, match=r"'image_clasification' \(--layer\)\. Did you mean image_classification"
    ):
        opened(session_module, layer="image_clasification")
    with pytest.raises(EdgeretrainError, match=r"no signature, output or tensor 'feature_vecto'"):
        opened(session_module, layer="feature_vecto")


def test_a_tf1_hub_module_may_be_used_at_another_size(session_module: Path) -> None:
    assert opened(session_module).size == SIZE
    assert opened(session_module, size=160).size == 160


def test_a_plain_tf1_saved_model(classifier_model: Any, session_module: Path, tmp_path: Path) -> None:
    folder = write_session_module(tmp_path / "plain", classifier_model, hub=False)
    source = opened(folder)
    assert source.scaling == Scaling.between(-1, 1)  # by slim's names
    assert source.card["source"]["kind"] == "SavedModel"
    assert "the 1,000 class scores of scores are cut off" in source.notes[2]
    np.testing.assert_allclose(row(source), row(opened(session_module)), rtol=1e-4, atol=1e-6)


def test_teachable_machines_folder_is_cut_at_the_pooling(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    network = [
        tf.keras.layers.Conv2D(8, 3, name="block_16_project"),  # only MobileNet V2 has one
        tf.keras.layers.GlobalAveragePooling2D(),
        tf.keras.layers.Dense(5, "relu", name="hidden"),
        tf.keras.layers.Dense(2, "softmax", use_bias=False),
    ]
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *network])
    model.export(str(tmp_path / "converted_savedmodel" / "model.savedmodel"), verbose=False)
    (tmp_path / "converted_savedmodel" / "labels.txt").write_text("0 Class 1\n1 Class 2\n")
    source = opened(tmp_path / "converted_savedmodel")
    assert (source.size, source.scaling) == (32, Scaling.between(-1, 1))
    assert source.card["source"]["file"] == "converted_savedmodel"
    assert "8 values; the 2 class scores of output_0 are cut off. --layer could also be" in source.notes[2]
    photo = np.full((1, 32, 32, 3), 0.3, np.float32)
    pooled = tf.keras.Sequential(network[:2])(photo).numpy()[0]
    np.testing.assert_allclose(row(source), pooled, rtol=1e-4, atol=1e-6)
    hidden = next(
        part for part in source.notes[2].split() if part.endswith("hidden_1/Relu:0") or "/hidden/Relu" in part
    )
    assert row(opened(tmp_path / "converted_savedmodel", layer=hidden)).shape == (5,)


def test_a_network_of_one_size_that_resizes_its_photos_does_so_itself(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    features = [
        tf.keras.layers.Resizing(20, 20),
        tf.keras.layers.Conv2D(8, 3),
        tf.keras.layers.GlobalAveragePooling2D(),
    ]
    model = tf.keras.Sequential([tf.keras.Input((48, 48, 3)), *features, tf.keras.layers.Dense(3)])
    model.export(str(tmp_path / "m"), verbose=False)
    source = opened(tmp_path / "m", scaling=Scaling.between(0, 1))
    assert source.size == 48
    photo = np.random.default_rng(0).random((1, 48, 48, 3), np.float32)
    np.testing.assert_allclose(source.network(photo), tf.keras.Sequential(features)(photo), rtol=1e-4, atol=1e-5)


def test_a_plain_saved_model_must_be_told_its_scale(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "m")
    message = r"does not say which pixel values it expects\. Give --scale, .*, such as"
    with pytest.raises(EdgeretrainError, match=message):
        opened(folder)
    source = opened(folder, scaling=Scaling.between(0, 1))
    assert row(source).shape == (8,)
    # From a handle it is a module of TensorFlow Hub, and there the pixels are 0 to 1.
    module = open_saved_model(folder, SourceOverrides(), address="https://tfhub.dev/a/b/1", hub=True)
    assert (module.scaling, module.card["source"]["handle"]) == (Scaling.between(0, 1), "https://tfhub.dev/a/b/1")
    assert "TensorFlow Hub's convention; --scale overrides it" in module.notes[1]
    with pytest.raises(EdgeretrainError, match=r"^https://a.org/m.tgz: does not say which pixel values it expects"):
        open_saved_model(folder, SourceOverrides(), address="https://a.org/m.tgz")


def test_a_call_with_several_outputs(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    base: Any = tf.Module

    class Module(base):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32)])  # type: ignore[untyped-decorator]
        def __call__(self, photos: Any) -> Any:
            mean = tf.reduce_mean(tf.nn.relu(photos), (1, 2))
            return {"default": mean, "twice": mean * 2, "all": [mean]}

    tf.saved_model.save(Module(), str(tmp_path / "m"))
    with pytest.raises(EdgeretrainError, match="Give --size"):
        opened(tmp_path / "m", scaling=Scaling.between(0, 1))
    for layer, value in ((None, 0.3), ("twice", 0.6), ("__call__:twice", 0.6), ("__call__", 0.3)):
        source = opened(tmp_path / "m", scaling=Scaling.between(0, 1), size=32, layer=layer)
        np.testing.assert_allclose(row(source), value, rtol=1e-4)


def test_a_network_of_keras_is_known_by_its_layers(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    layers = [
        tf.keras.layers.Conv2D(8, 3, name="conv_pw_13"),  # only MobileNet V1 has one
        tf.keras.layers.GlobalAveragePooling2D(),
        tf.keras.layers.Dense(3, "softmax"),
    ]
    tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *layers]).export(str(tmp_path / "m"), verbose=False)
    source = opened(tmp_path / "m")
    assert source.scaling == Scaling.between(-1, 1)
    assert "as Keras' MobileNet V1 was trained" in source.notes[1]
    assert row(source).shape == (8,)


def test_uint8_photos_are_raw(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    source = opened(write_small(tmp_path / "m", dtype=tf.uint8))
    assert source.scaling == Scaling.between(0, 255)
    assert row(source, 200.0).max() > 1


def test_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    folder = write_small(tmp_path / "m")
    files = []
    for out in (tmp_path / "first", tmp_path / "second"):
        overrides = SourceOverrides(scaling=Scaling.between(0, 1))
        (built,), _ = build_from_source(
            "mine", str(folder), ["float32"], overrides=overrides, calibration=None, out=out
        )
        files.append((built.path.read_bytes(), built.path.with_suffix(".json").read_bytes()))
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("named", "overrides", "message"),
    [
        ({"shape": (8, 32, 32, 3)}, {}, "takes 8 photos at a time"),
        ({}, {"size": 64}, "takes photos of 32 x 32 pixels only. Leave out --size"),
        ({"shape": (None, None, None, 3)}, {}, "Give --size"),
        ({"shape": (None, 32, 48, 3)}, {}, "32"),
        ({"shape": (None, 32, 32, 1)}, {}, r"takes no photo.*photos: float \[\?, 32, 32, 1\] \(serving_default\)"),
        (
            {"function": lambda one: {"a": one, "b": one * 2}},
            {},
            r"several outputs: a, b\. Choose the one .* with --layer OUTPUT",
        ),
        ({}, {"layer": "nothing_like_it"}, "has no tensor 'nothing_like_it'"),
    ],
)
def test_what_cannot_be_told_is_refused(
    tmp_path: Path, named: dict[str, Any], overrides: dict[str, Any], message: str
) -> None:
    folder = write_small(tmp_path / "m", **named)
    with pytest.raises(EdgeretrainError, match=message) as caught:
        opened(folder, **{"scaling": Scaling.between(0, 1), **overrides})
    assert "\n" not in str(caught.value)
    assert "m: " in str(caught.value)


def test_an_input_that_is_no_photo_is_named(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")

    def run(encoded: Any) -> dict[str, Any]:
        return {"size": tf.strings.length(encoded)}

    traced = tf.function(run).get_concrete_function(tf.TensorSpec((None,), tf.string, name="encoded"))
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures=traced)
    with pytest.raises(EdgeretrainError, match=r"takes no photo.* encoded: string \[\?\] \(serving_default\)"):
        opened(tmp_path / "m")


def test_several_signatures_are_listed(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    photos = tf.TensorSpec((None, 32, 32, 3), tf.float32, name="photos")
    signatures = {
        name: tf.function(lambda photos, power=power: {"features": tf.reduce_mean(photos**power, (1, 2))})
        for name, power in (("one", 1), ("two", 2))
    }
    traced = {name: function.get_concrete_function(photos) for name, function in signatures.items()}
    tf.saved_model.save(tf.Module(), str(tmp_path / "m"), signatures=traced)
    with pytest.raises(
        EdgeretrainError, match=r"several signatures that take a photo: one, two\. Choose one with --layer"
    ):
        opened(tmp_path / "m")
    for layer, value in (("one", 0.3), ("two:features", 0.09)):
        source = opened(tmp_path / "m", layer=layer, scaling=Scaling.between(0, 1))
        np.testing.assert_allclose(row(source), value, rtol=1e-4)
