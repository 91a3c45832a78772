"""Building backbones with TensorFlow. All slow: the first import of TensorFlow alone takes seconds."""

import builtins
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.backbone import build
from edgeretrain.backbone.build import build_backbones
from edgeretrain.backbone.contract import Contract, bottlenecks_of, check_contract
from edgeretrain.backbone.presets import PRESETS, get_preset
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.quantization import convert

SMALL = "mobilenet_v2_035_96"


def pixels_of(size: int, count: int = 2) -> np.ndarray:
    rng = np.random.default_rng(3)
    side = -(-size // 8)
    coarse = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)[:, :size, :size]


def random_backbones(preset: str, precisions: tuple[Precision, ...], out: Path) -> list[Any]:
    pytest.importorskip("tensorflow")
    return build_backbones(preset, precisions, weights="random", calibration=None, out=out)


def test_without_tensorflow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_tensorflow(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "tensorflow":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_tensorflow)
    with pytest.raises(EdgeretrainError, match=r'pip install "edgeretrain\[tensorflow\]"'):
        build_backbones(SMALL, ["float32"], weights="random", calibration=None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_builds_and_equals_keras(preset: str, tmp_path: Path) -> None:
    (backbone,) = random_backbones(preset, ("float32",), tmp_path)
    from edgeretrain.backbone.keras_model import keras_model, randomize

    wanted = get_preset(preset)
    model = keras_model(wanted)
    randomize(model, seed=0)
    data = backbone.path.read_bytes()
    check_contract(data, Contract(preset, wanted.resolution, wanted.bottleneck, wanted.family.scaling), "float32")
    pixels = pixels_of(wanted.resolution)
    expected = np.asarray(model(pixels.astype(np.float32) / 127.5 - 1, training=False))
    assert expected.std() > 1e-3
    assert np.abs(bottlenecks_of(data, pixels) - expected).max() <= 1e-4 * np.abs(expected).max()
    assert backbone.card["parameters"] == model.count_params()


@pytest.mark.slow
@pytest.mark.parametrize("preset", [SMALL, "mobilenet_v1_025_128", "nasnet_mobile"])
def test_four_precisions_share_one_trace(preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = []
    freeze = build.freeze

    def counted(network: Any, *rest: Any) -> Any:
        return freeze(lambda scaled: (traces.append(1), network(scaled))[1], *rest)

    monkeypatch.setattr(build, "freeze", counted)
    backbones = random_backbones(preset, PRECISIONS, tmp_path)  # each is held to check_contract inside
    assert len(traces) == 1
    assert [backbone.precision for backbone in backbones] == list(PRECISIONS)
    sizes = [backbone.path.stat().st_size for backbone in backbones]
    assert sizes[0] > sizes[1] > sizes[2]
    pixels = pixels_of(backbones[0].size)
    rows = [bottlenecks_of(backbone.path.read_bytes(), pixels) for backbone in backbones]
    for row in rows[1:]:
        assert np.corrcoef(rows[0].ravel(), row.ravel())[0, 1] > 0.8
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"{preset}.{precision}.{suffix}" for precision in PRECISIONS for suffix in ("json", "tflite")
    )


@pytest.mark.slow
def test_the_same_build_gives_the_same_bytes(tmp_path: Path) -> None:
    first = random_backbones(SMALL, PRECISIONS, tmp_path / "first")
    random_backbones("mobilenet_v1_025_128", ("float32",), tmp_path / "between")
    second = random_backbones(SMALL, PRECISIONS, tmp_path / "second")
    for one, other in zip(first, second, strict=True):
        assert one.path.read_bytes() == other.path.read_bytes(), one.precision
        assert one.path.with_suffix(".json").read_bytes() == other.path.with_suffix(".json").read_bytes()


@pytest.mark.slow
def test_a_build_says_nothing_but_its_progress(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    random_backbones(SMALL, ("float32", "int8"), tmp_path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_calibration_folder_is_used_and_named(tmp_path: Path) -> None:
    from PIL import Image

    folder = tmp_path / "my photos"
    (folder / "deep").mkdir(parents=True)
    for number, one in enumerate(pixels_of(96, 3)):
        Image.fromarray(one).save(folder / "deep" / f"{number}.PNG")
    (folder / "notes.txt").write_text("no photo")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    pytest.importorskip("tensorflow")
    (backbone,) = build_backbones(SMALL, ["int8"], weights="random", calibration=folder, out=tmp_path / "out")
    assert backbone.card["calibration"] == {
        "source": "folder my photos",
        "photos": 3,
        "seed": 0,
        "steps": ["depthwise rounding", "bias correction"],
    }
    assert str(tmp_path) not in json.dumps(backbone.card)


@pytest.mark.slow
@pytest.mark.parametrize("photos", ["missing", "empty"])
def test_a_calibration_folder_without_photos_writes_nothing(tmp_path: Path, photos: str) -> None:
    pytest.importorskip("tensorflow")
    folder = tmp_path / photos
    if photos == "empty":
        folder.mkdir()
    with pytest.raises(EdgeretrainError, match=f"{photos}: .*--calibration"):
        build_backbones(SMALL, ["float32", "int8"], weights="random", calibration=folder, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_file_that_breaks_the_contract_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    real = convert.convert
    # A converter that leaves int8 in float: what a TensorFlow with a broken quantizer would hand over.
    monkeypatch.setattr(build, "convert", lambda graph, precision, photos=None: real(graph, "float32"))
    with pytest.raises(EdgeretrainError, match=f"converted int8 backbone of {SMALL} is wrong"):
        build_backbones(SMALL, ["int8"], weights="random", calibration=None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_float32_file_that_is_not_keras_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorflow")
    monkeypatch.setattr(build, "bottlenecks_of", lambda data, pixels: bottlenecks_of(data, pixels) + 1)
    with pytest.raises(EdgeretrainError, match="away from TensorFlow's own result"):
        build_backbones(SMALL, ["float32"], weights="random", calibration=None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def keras_file(tmp_path: Path) -> Callable[..., Path]:
    """Weights of a Keras network in Keras' HDF5 layout: all layers are named in it, those without weights too."""
    tf = pytest.importorskip("tensorflow")
    h5py = pytest.importorskip("h5py")

    def write(network: str = "MobileNet", top: bool = False, name: str = "w.h5", **named: Any) -> Path:
        size = named.pop("size", 128)
        model = getattr(tf.keras.applications, network)(
            input_shape=(size, size, 3), include_top=top, weights=None, **named
        )
        with h5py.File(tmp_path / name, "w") as file:
            file.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
            for layer in model.layers:
                group = file.create_group(layer.name)
                arrays = layer.get_weights()
                names = [f"{number}".encode() for number in range(len(arrays))]
                group.attrs["weight_names"] = np.array(names, dtype=np.bytes_)
                for number, array in enumerate(arrays):
                    group[f"{number}"] = array
        return tmp_path / name

    return write


@pytest.mark.slow
def test_given_weights_are_loaded_and_recorded(keras_file: Callable[..., Path], tmp_path: Path) -> None:
    path = keras_file(alpha=0.25)
    (backbone,) = build_backbones(
        "mobilenet_v1_025_128", ["float32"], weights=path, calibration=None, out=tmp_path / "out"
    )
    assert backbone.card["weights"]["file"] == "w.h5"
    assert backbone.card["weights"]["licence"] == "not recorded"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "preset", "message"),
    [
        ({"alpha": 0.5}, "mobilenet_v1_025_128", r"holds MobileNet V1 0\.50; .* weights of MobileNet V1 0\.25"),
        ({"alpha": 0.25}, "mobilenet_v2_035_128", r"holds MobileNet V1 0\.25; .* weights of MobileNet V2 0\.35"),
        (
            {"network": "MobileNetV2", "alpha": 0.5},
            "mobilenet_v2_035_128",
            r"holds MobileNet V2 0\.50; .* weights of MobileNet V2 0\.35",
        ),
        ({"alpha": 0.25, "top": True}, "mobilenet_v1_025_128", "with its ImageNet classifier"),
        ({"network": "ResNet50"}, "mobilenet_v1_025_128", r"does not fit .* weights of MobileNet V1 0\.25"),
        ({"network": "NASNetMobile", "size": 224}, "mobilenet_v1_025_128", "holds NASNet-mobile;"),
        ({"network": "InceptionV3"}, "nasnet_mobile", "holds Inception V3; .* weights of NASNet-mobile"),
        ({"alpha": 0.25}, "inception_v3", r"holds MobileNet V1 0\.25; .* weights of Inception V3"),
    ],
)
def test_weights_of_another_network_are_refused_by_name(
    keras_file: Callable[..., Path], tmp_path: Path, written: dict[str, Any], preset: str, message: str
) -> None:
    path = keras_file(**written)
    with pytest.raises(EdgeretrainError, match=rf"w\.h5: .*{message}") as caught:
        build_backbones(preset, ["float32"], weights=path, calibration=None, out=tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.h5", b""),
        ("w.h5", b"text"),
        ("w.h5", b"\x89HDF\r\n\x1a\n" + bytes(100)),
        ("w.keras", b"PK"),
        ("w.txt", b"text"),
    ],
)
def test_files_that_are_no_weights_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    pytest.importorskip("tensorflow")
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(EdgeretrainError, match=rf"{name}: not a Keras weight file"):
        build_backbones(SMALL, ["float32"], weights=path, calibration=None, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
