"""Keras files as sources, each held against Keras' own result on real photos."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from support.hdf5_files import WAYS, damaged, lead_out

from edgeretrain.backbone.build import run_source
from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.source import BackboneSource, SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.build import build_from_source
from edgeretrain.importers.sources import open_source
from importers.keras_files import (
    as_keras_2,
    keras,
    replace_weights,
    rewrite_config,
    small,
    teachable,
    with_top,
    written,
)
from importers.modules import weights

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("own_cache")]

SAID = SourceOverrides(scaling=Scaling.between(0, 1))
"""What must be said of a network that is nobody's."""


def photos_of(trash: Path, size: int) -> npt.NDArray[np.uint8]:
    from edgeretrain.data.pixels import load_pixels

    return np.stack([load_pixels(photo, size) for photo in sorted(trash.rglob("*.jpg"))[::30]])


def opened(path: Path, overrides: SourceOverrides = SourceOverrides()) -> BackboneSource:
    return open_source(str(path), overrides)


def assert_like_keras(source: BackboneSource, model: Any, white: float) -> None:
    """The source gives what a Keras model gives for photos whose white is `white`."""
    photos = np.random.default_rng(0).integers(0, 256, (2, source.size, source.size, 3), dtype=np.uint8)
    expected = np.asarray(model(photos * np.float32(white / 255), training=False)).reshape(len(photos), -1)
    assert expected.std() > 0
    np.testing.assert_allclose(run_source(source, photos), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def retrained(path: Path, model: Any, features: str, trash: Path, tmp_path: Path) -> list[str]:
    """Build, retrain, and hold the backbone against Keras; the cards' word on where it comes from."""
    from support.plain import retrain

    (backbone,), _ = build_from_source(
        "my_net",
        str(path),
        ["float32"],
        overrides=SourceOverrides(),
        calibration=None,
        out=tmp_path / "cache" / "backbones",
    )
    report = retrain(trash, tmp_path / "run", preset="my_net", precisions=["float32"])
    assert report["preset"] == "my_net"
    assert report["models"][0]["evaluation"]["top1"] > 0.6
    photos = photos_of(trash, backbone.size)
    layers = {layer.name: layer for layer in model._flatten_layers()}
    cut = keras().Model(model.inputs, layers[features].output) if features in layers else model
    expected = np.asarray(cut(photos.astype(np.float32) / 127.5 - 1, training=False)).reshape(len(photos), -1)
    assert expected.std() > 0.1
    assert np.abs(bottlenecks_of(backbone.path.read_bytes(), photos) - expected).max() <= 1e-4 * expected.max()
    assert report["models"][0]["backbone"]["source"] == backbone.card["source"]
    assert str(tmp_path) not in str(backbone.card)
    return [backbone.card["architecture"], backbone.card["source"]["kind"], backbone.card["source"]["layer"]]


def test_an_h5_file_of_a_network_with_its_classifier(trash: Path, tmp_path: Path) -> None:
    model = with_top()
    path = written(model, tmp_path / "v1.h5")
    pooling = "global_average_pooling2d"
    assert retrained(path, model, pooling, trash, tmp_path) == ["mobilenet_v1", "Keras file", pooling]


def test_a_keras_file_of_networks_in_networks(trash: Path, tmp_path: Path) -> None:
    model = teachable()
    path = written(model, tmp_path / "v2.keras")
    card = retrained(path, model.layers[0], "", trash, tmp_path)
    assert card == ["mobilenet_v2", "Keras file", "features/global_average_pooling2d"]


def test_what_teachable_machine_wrote_with_keras_2(trash: Path, tmp_path: Path) -> None:
    model = teachable(96)
    path = rewrite_config(written(model, tmp_path / "keras_model.h5"), as_keras_2)
    with pytest.raises(Exception, match="groups"):
        keras().models.load_model(path, compile=False)
    source = opened(path)
    assert source.notes == (
        "Keras file, MobileNet V2.",
        "Input: 96 pixels, values -1..1 (as Keras' MobileNet V2 was trained; --scale overrides it).",
        "Bottleneck: features/global_average_pooling2d, 1,280 values.",
    )
    assert source.parameters == 410_208
    photos = photos_of(trash, 96)
    expected = model.layers[0](photos.astype(np.float32) / 127.5 - 1, training=False)
    np.testing.assert_allclose(run_source(source, photos), expected, atol=1e-4)


# What a file may hold that loading it would run.


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "old.h5"])
def test_code_in_a_file_does_not_run(tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"
    k = keras()
    source = f"lambda x: (__import__('pathlib').Path({str(trace)!r}).touch(), x)[1]"
    path = written(small(k.layers.Lambda(eval(source)), k.layers.Flatten(), k.layers.Dense(2)), tmp_path / name)
    if name.startswith("old"):
        rewrite_config(path, _with_old_lambda)
    trace.unlink()
    if not name.startswith("old"):  # it is a real one: Keras, asked to, runs it
        k.models.load_model(path, compile=False, safe_mode=False)(np.zeros((1, 32, 32, 3)))
        trace.unlink()
    with pytest.raises(EdgeretrainError, match=rf"{name}: holds a Python function.*runs no code from a file"):
        opened(path)
    assert not trace.exists()


def _with_old_lambda(config: Any) -> Any:
    """As Keras 2 wrote it: marshalled bytecode in base64, first of three."""
    for layer in config["config"]["layers"]:
        if layer["class_name"] == "Lambda":
            layer["config"]["function"] = [layer["config"]["function"]["config"]["code"], None, None]
            layer["config"]["function_type"] = "lambda"
            layer.pop("module", None)
    return config


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["net.h5", "net.keras"])
def test_no_network_takes_its_weights_from_another_file(tmp_path: Path, name: str, way: str) -> None:
    h5py = pytest.importorskip("h5py")
    path = written(small(), tmp_path / name)
    inside = path
    if name == "net.keras":
        with zipfile.ZipFile(path) as archive:
            inside = Path(archive.extract("model.weights.h5", tmp_path))
    with h5py.File(inside, "r+") as file:
        lead_out(file, "more", way, tmp_path)
    if name == "net.keras":
        replace_weights(path, inside.read_bytes())
    with pytest.raises(EdgeretrainError, match=r"net\.(h5|keras): its more would be read from another file"):
        opened(path)


def test_a_class_that_keras_does_not_have_is_refused_by_name(tmp_path: Path) -> None:
    k = keras()

    class Mine(k.layers.Layer):  # type: ignore[misc, name-defined]
        pass

    for name in ("net.keras", "net.h5"):
        path = written(small(k.layers.Conv2D(8, 3), Mine()), tmp_path / name)
        with pytest.raises(EdgeretrainError, match=rf"{name}: needs the class .*Mine"):
            opened(path, SAID)


# Where it is cut.


def test_the_pooling_inside_a_block_is_not_the_bottleneck(tmp_path: Path) -> None:
    k = keras()
    photo = k.Input((32, 32, 3))
    values = k.layers.Conv2D(8, 3, name="early")(photo)
    squeezed = k.layers.GlobalAveragePooling2D(keepdims=True, name="squeeze")(values)
    gate = k.layers.Conv2D(8, 1, activation="sigmoid", name="gate")(squeezed)
    values = k.layers.Multiply(name="excited")([values, gate])
    source = opened(written(k.Model(photo, values), tmp_path / "a.keras"), SAID)
    assert source.card["source"]["layer"] == "its output"
    assert source.notes[2] == "Bottleneck: its output, 8 values, the average of 30 x 30 positions."
    scores = k.layers.Dense(2, name="classes")(k.layers.Flatten(name="flat")(k.layers.MaxPooling2D(10)(values)))
    assert opened(written(k.Model(photo, scores), tmp_path / "b.keras"), SAID).card["source"]["layer"] == "flat"
    convolved = k.layers.Conv2D(2, 1, name="scores")(k.layers.Conv2D(5, 30, name="last")(values))
    both = opened(written(k.Model(photo, k.layers.Flatten(name="all")(convolved)), tmp_path / "c.keras"), SAID)
    assert both.card["source"]["layer"] == "last"
    assert both.parameters == 8 * 27 + 8 + 72 + 8 * 900 * 5 + 5


def test_a_layer_can_be_named_also_inside(tmp_path: Path) -> None:
    k = keras()
    inner = small(k.layers.Conv2D(4, 3, name="first"), k.layers.Conv2D(6, 3, name="second"))
    inner.name = "inner"
    path = written(small(inner, k.layers.Flatten(), k.layers.Dense(3, name="first")), tmp_path / "net.keras")
    photos = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    source = opened(path, SourceOverrides(scaling=SAID.scaling, layer="second"))
    assert source.card["source"]["layer"] == "inner/second"
    expected = np.asarray(inner(photos / np.float32(255))).mean(axis=(1, 2))
    np.testing.assert_allclose(run_source(source, photos), expected, atol=1e-5)
    assert opened(path, SourceOverrides(scaling=SAID.scaling, layer="inner/first")).parameters == 4 * 27 + 4
    for layer, message in (
        ("secnd", r"no layer secnd\. Nearest: inner/second"),
        ("inner/third", r"no layer inner/third\. Nearest: inner/first"),
    ):
        with pytest.raises(EdgeretrainError, match=message):
            opened(path, SourceOverrides(scaling=SAID.scaling, layer=layer))


def test_dropout_and_augmentation_do_nothing(tmp_path: Path) -> None:
    k = keras()
    model = small(
        k.layers.RandomFlip(), k.layers.RandomRotation(0.5), k.layers.Conv2D(8, 3),
        k.layers.GlobalAveragePooling2D(), k.layers.Dropout(0.9), k.layers.Dense(2)
    )  # fmt: skip
    source = opened(written(model, tmp_path / "net.keras"), SAID)
    plain = k.Sequential([k.Input((32, 32, 3)), *model.layers[2:4]])
    assert_like_keras(source, plain, 1)


def test_names_are_layers_not_operations(tmp_path: Path) -> None:
    """The second time that a layer is called, Keras names its operations as if they were the layer `values_1`'s."""
    k = keras()
    photo = k.Input((32, 32, 3))
    shared = k.layers.Conv2D(3, 3, name="values")
    values = k.layers.Conv2D(5, 3, name="values_1")(shared(shared(photo)))
    pooled = k.layers.GlobalAveragePooling2D(name="pooled")(values)
    model = k.Model(photo, k.layers.Dense(2, name="values_2")(pooled))
    path = written(model, tmp_path / "net.keras")
    for layer, length, features in (
        ("values", 3, shared(shared(photo))),
        ("values_1", 5, values),
        ("values_2", 2, None),
    ):
        source = opened(path, SourceOverrides(scaling=SAID.scaling, layer=layer))
        assert (source.card["source"]["layer"], f" {length} values" in source.notes[2]) == (layer, True)
        averaged = model.output if features is None else k.layers.GlobalAveragePooling2D()(features)
        assert_like_keras(source, k.Model(photo, averaged), 1)


def test_what_stands_between_the_pooling_and_the_classes_is_cut_off(tmp_path: Path) -> None:
    k = keras()
    pool = k.layers.GlobalMaxPooling2D(name="pool")
    normal, dense = k.layers.BatchNormalization(), k.layers.Dense(4, activation="relu")
    model = small(k.layers.Conv2D(8, 3), pool, normal, k.layers.Dropout(0.5), dense)
    source = opened(written(model, tmp_path / "net.keras"), SAID)
    assert source.notes[2] == "Bottleneck: pool, 8 values."
    assert_like_keras(source, k.Model(model.inputs, pool.output), 1)


def test_the_classes_may_have_an_activation_of_their_own(tmp_path: Path) -> None:
    k = keras()
    layers = (k.layers.Conv2D(8, 30), k.layers.Flatten(name="flat"), k.layers.Dense(4, activation="relu"))
    source = opened(written(small(*layers, k.layers.BatchNormalization()), tmp_path / "net.keras"), SAID)
    assert source.card["source"]["layer"] == "flat"


def test_dense_layers_with_nothing_in_between_are_one(tmp_path: Path) -> None:
    k = keras()
    layers = (k.layers.Conv2D(8, 30), k.layers.Flatten(name="flat"), k.layers.Dense(4), k.layers.Dense(2))
    source = opened(written(small(*layers), tmp_path / "net.keras"), SAID)
    assert source.notes[2] == "Bottleneck: flat, 72 values."
    named = SourceOverrides(scaling=SAID.scaling, layer=layers[2].name)
    assert opened(tmp_path / "net.keras", named).notes[2].endswith(" 4 values.")


def test_activations_and_resizing_of_every_kind_are_arithmetic(tmp_path: Path) -> None:
    k = keras()
    model = small(
        k.layers.Conv2D(8, 3, 2, activation="gelu"), k.layers.UpSampling2D(interpolation="bicubic"),
        k.layers.Resizing(20, 20, interpolation="area"), k.layers.LayerNormalization(),
        k.layers.Conv2D(8, 3, activation="silu"), k.layers.Conv2D(8, 3, activation="mish"),
        k.layers.GlobalAveragePooling2D(),
    )  # fmt: skip
    assert_like_keras(opened(written(model, tmp_path / "net.keras"), SAID), model, 1)


def test_a_network_that_resizes_its_photos_does_so_itself(tmp_path: Path) -> None:
    k = keras()
    layers = (k.layers.Resizing(20, 20), k.layers.Rescaling(1 / 255), k.layers.Conv2D(8, 3))
    model = small(*layers, k.layers.GlobalAveragePooling2D(), size=48)
    source = opened(written(model, tmp_path / "net.keras"))
    assert (source.size, source.card["source"]["scale"]) == (48, "0..255")
    assert_like_keras(source, model, 255)


def test_a_network_of_half_precision(tmp_path: Path) -> None:
    k = keras()
    half = {"dtype": "mixed_float16"}
    model = small(k.layers.Conv2D(8, 3, **half), k.layers.GlobalAveragePooling2D(**half), k.layers.Dense(2))
    source = opened(written(model, tmp_path / "net.keras"), SAID)
    photos = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    bottlenecks = run_source(source, photos)
    assert bottlenecks.dtype == np.float32
    expected = k.Model(model.inputs, model.layers[-2].output)(photos / np.float32(255))
    np.testing.assert_allclose(bottlenecks, np.asarray(expected, np.float32), atol=1e-3)


def test_several_outputs_need_a_layer(tmp_path: Path) -> None:
    k = keras()
    photo = k.Input((32, 32, 3))
    pooled = k.layers.GlobalAveragePooling2D(name="pooled")(k.layers.Conv2D(8, 3)(photo))
    model = k.Model(photo, [k.layers.Dense(2, name="a")(pooled), k.layers.Dense(3, name="b")(pooled)])
    path = written(model, tmp_path / "net.keras")
    with pytest.raises(EdgeretrainError, match=r"has several outputs\. Give --layer NAME, .* such as .*pooled"):
        opened(path, SAID)
    source = opened(path, SourceOverrides(scaling=SAID.scaling, layer="pooled"))
    assert_like_keras(source, k.Model(photo, pooled), 1)


def test_opening_a_file_leaves_keras_as_it_was(tmp_path: Path) -> None:
    layer = keras().layers.Layer
    before = (layer.__call__, layer.call)
    opened(written(small(), tmp_path / "net.keras"), SAID)
    assert (layer.__call__, layer.call) == before


# Scale and size.


@pytest.mark.parametrize(
    ("scale", "offset", "expected"),
    [(1 / 127.5, -1, "0..255"), (1 / 255, 0, "0..255"), (1.0, -116.0, "0..255"), (2.0, -1, "0..1")],
)
def test_a_network_that_scales_its_pixels(tmp_path: Path, scale: float, offset: float, expected: str) -> None:
    k = keras()
    rest = (k.layers.Conv2D(8, 3), k.layers.GlobalAveragePooling2D(), k.layers.Dense(2))
    model = small(k.layers.Rescaling(scale, offset), *rest)
    source = opened(written(model, tmp_path / "net.keras"))
    assert source.card["source"]["scale"] == expected
    assert_like_keras(source, k.Model(model.inputs, model.layers[-2].output), 1 if expected == "0..1" else 255)


@pytest.mark.parametrize(("scale", "offset"), [(2.0, 0.0), (2.0, 0.5), (-1.0, 255.0), (100.0, 0.0)])
def test_an_odd_scaling_inside_must_be_explained(tmp_path: Path, scale: float, offset: float) -> None:
    k = keras()
    rest = (k.layers.Conv2D(8, 3), k.layers.GlobalAveragePooling2D(), k.layers.Dense(2))
    path = written(small(k.layers.Rescaling(scale, offset), *rest), tmp_path / "net.keras")
    with pytest.raises(EdgeretrainError, match=r"which pixel values it expects \(it turns 0 into .*Give --scale"):
        opened(path)
    normal = small(k.layers.BatchNormalization(epsilon=0.75), *rest)  # divides by 1.3, but that is what it learned
    with pytest.raises(EdgeretrainError, match=r"which pixel values it expects\. Give --scale"):
        opened(written(normal, tmp_path / "normal.keras"))


def test_the_same_file_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = written(small(), tmp_path / "net.keras")
    built = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        overrides = SourceOverrides(scaling=SAID.scaling)
        ((one,), _) = build_from_source(
            "my_net", str(path), ["float32"], overrides=overrides, calibration=None, out=folder
        )
        built.append((one.path.read_bytes(), one.path.with_suffix(".json").read_bytes()))
    assert built[0] == built[1]


def test_arithmetic_before_a_known_network_is_seen(tmp_path: Path) -> None:
    k = keras()
    photo = k.Input((32, 32, 3))
    values = k.layers.Conv2D(8, 3, name="block_16_project")(photo / 127.5 - 1)
    model = k.Model(photo, k.layers.GlobalAveragePooling2D()(values))
    source = opened(written(model, tmp_path / "net.keras"))
    assert source.card["source"]["scale"] == "0..255"
    assert_like_keras(source, model, 255)


def test_a_size_that_the_file_leaves_open_must_be_said(tmp_path: Path) -> None:
    k = keras()
    rest = (k.layers.Conv2D(8, 20), k.layers.GlobalAveragePooling2D(), k.layers.Dense(2))
    path = written(small(*rest, size=None), tmp_path / "net.keras")
    with pytest.raises(EdgeretrainError, match=r"photos of any size\. Give --size"):
        opened(path, SAID)
    assert opened(path, SourceOverrides(size=24, scaling=SAID.scaling)).size == 24
    with pytest.raises(EdgeretrainError, match=r"cannot take photos of 16 x 16 pixels \(.*Give a larger --size"):
        opened(path, SourceOverrides(size=16, scaling=SAID.scaling))


def network(kind: str) -> Any:
    k = keras()
    conv, pool, dense = k.layers.Conv2D(8, 3), k.layers.GlobalAveragePooling2D(), k.layers.Dense(2)
    if kind == "gray":
        return small(channels=1)
    if kind == "wide":
        return k.Sequential([k.Input((32, 48, 3)), conv, pool, dense])
    if kind == "two photos":
        photos = [k.Input((32, 32, 3)), k.Input((32, 32, 3))]
        return k.Model(photos, dense(pool(conv(k.layers.Add()(photos)))))
    if kind == "numbers":
        return k.Sequential([k.Input((10,)), dense])
    if kind == "words":
        return small(conv, k.layers.Reshape((30 * 30, 8)))
    if kind == "resnet":
        return small(k.layers.Conv2D(8, 3, name="conv5_block3_out"), pool, dense)
    return small(conv, pool, dense)


@pytest.mark.parametrize(
    ("kind", "overrides", "message"),
    [
        ("gray", SAID, r"takes \[32, 32, 1\], not RGB photos"),
        ("wide", SAID, "takes photos of 32 x 48 pixels. Give a network for square photos"),
        ("two photos", SAID, "takes several inputs instead of one photo"),
        ("numbers", SAID, r"takes \[10\] instead of one photo"),
        ("words", SAID, r"ends in \[900, 8\].*Give --layer NAME, .* such as reshape"),
        ("resnet", SourceOverrides(), "is a ResNet, which expects BGR pixels"),
        ("plain", SourceOverrides(), r"does not say which pixel values it expects\. Give --scale"),
        (
            "plain",
            SourceOverrides(size=64, scaling=SAID.scaling),
            "takes photos of 32 x 32 pixels only. Leave out --size",
        ),
        ("plain", SourceOverrides(scaling=SAID.scaling, input="photo"), "--input is only for graphs"),
    ],
)
def test_what_is_refused_or_must_be_said(tmp_path: Path, kind: str, overrides: SourceOverrides, message: str) -> None:
    path = written(network(kind), tmp_path / "net.keras")
    with pytest.raises(EdgeretrainError, match=rf"net\.keras: .*{message}|{message}") as caught:
        opened(path, overrides)
    assert "\n" not in str(caught.value)


# Files that are something else.


def test_weights_are_no_network(tmp_path: Path) -> None:
    model = small()
    model.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(EdgeretrainError, match=r"holds only weights, not the network.*build PRESET --weights FILE"):
        opened(tmp_path / "net.weights.h5")
    with pytest.raises(EdgeretrainError, match=r"holds only the weights of MobileNet V1 0\.25,"):
        opened(Path(weights("mobilenet_2_5_128_tf_no_top.h5")))


@pytest.mark.parametrize("name", ["net.keras", "net.h5"])
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    whole = written(small(), tmp_path / name).read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 50):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(EdgeretrainError, match=rf"{name}: ") as caught:
            opened(tmp_path / name, SAID)
        assert "\n" not in str(caught.value)


def test_weights_of_other_shapes_are_told(tmp_path: Path) -> None:
    one, other = (
        written(small(keras().layers.Dense(n)), tmp_path / name) for n, name in ((2, "one.keras"), (3, "x.keras"))
    )
    with zipfile.ZipFile(one) as source:
        replace_weights(other, source.read("model.weights.h5"))
    with pytest.raises(EdgeretrainError, match=r"x\.keras: Keras .* cannot load it"):
        opened(other, SAID)


def test_weights_that_are_no_hdf5_are_told(tmp_path: Path) -> None:
    path = written(small(), tmp_path / "net.keras")
    replace_weights(path, b"weights")
    with pytest.raises(EdgeretrainError, match=r"net\.keras: its model\.weights\.h5 is damaged"):
        opened(path)


def test_damage_within_the_weights_is_told(tmp_path: Path) -> None:
    path = written(small(), tmp_path / "net.keras")
    with zipfile.ZipFile(path) as archive:
        whole = archive.read("model.weights.h5")
    kinds = set()
    for content, raised in damaged(whole, 400):
        if type(raised) in kinds or raised is None:
            continue
        kinds.add(type(raised))
        replace_weights(path, content)
        with pytest.raises(EdgeretrainError, match=r"net\.keras: its model\.weights\.h5 is damaged") as caught:
            opened(path)
        assert "\n" not in str(caught.value)
    assert {OSError, RuntimeError, KeyError} <= kinds
