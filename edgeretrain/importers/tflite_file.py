"""A backbone from a `.tflite` file: a feature extractor as it is, a classifier cut before its last dense layer.

The file's operators are translated to TensorFlow's, so everything behind it, raw RGB input, the four precisions,
calibration, is the same as for any other source. What the translation computes is compared with what the file itself
gives, run by LiteRT up to the cut. Files that compute in floating point must agree to 1e-4. Files with int8 weights or
integers throughout are replaced by the real numbers that they stand for; the difference made by their own rounding is
printed.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone.source import BackboneSource, SourceCard, SourceOverrides
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.fingerprint import sha256
from edgeretrain.importers.tflite_cut import Cut, Entry, averaged_map, find_cut, find_entry
from edgeretrain.tflite.graph import Graph
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.runtime import Runner
from edgeretrain.tflite.tensorflow_types import TfTensor
from edgeretrain.tflite.to_tensorflow import check_known, run_operators

FLOAT_TOLERANCE = 1e-4
"""How far the translation of a floating-point file may be from the file, relative to the largest bottleneck value."""

MIN_CORRELATION = 0.9
"""What the correlation of a quantized file's bottlenecks with those of its real numbers must be at least."""

_LONG = 4096


def open_tflite_file(path: Path, overrides: SourceOverrides) -> BackboneSource:
    """A `.tflite` file as a source.

    Raises:
        EdgeretrainError: it is not a TFLite file, or damaged; it does not take one RGB photo; size, scale or cut are
            unknown and must be given; it has an operator that cannot be translated.
    """
    import tensorflow as tf

    graph = Graph(path)
    entry = find_entry(graph, overrides)
    cut = find_cut(graph, entry, overrides.layer)
    # An average over all positions is written in the only way that the int8 correction supports.
    feature_map = averaged_map(graph, cut.tensor)
    end = cut.tensor if feature_map is None else feature_map
    operators = graph.needed(end, [entry.tensor])
    check_known(graph, operators)

    def network(scaled: TfTensor) -> TfTensor:
        return _vector(run_operators(graph, operators, {entry.tensor: scaled}, end))

    with quiet():
        bottleneck = np.asarray(network(tf.constant(entry.scaling(_pixels(entry.size)[None]))))
        lines = [*entry.notes, *cut.notes, *_compared(graph, entry, cut, bottleneck[0])]
    card: SourceCard = {
        "architecture": path.stem,
        "source": {
            "kind": "TFLite file",
            "file": path.name,
            "sha256": sha256(path),
            "input": graph.tensors[graph.inputs[0]].name,
            "scale": str(entry.given),
            "layer": graph.tensors[cut.tensor].name,
        },
    }
    return BackboneSource(network, entry.size, entry.scaling, graph.parameters(operators), card, tuple(lines))


def _vector(values: TfTensor) -> TfTensor:
    """The tensor at the cut as a bottleneck `[1,d]`: a feature map is averaged over its positions."""
    import tensorflow as tf

    shape = values.shape
    if len(shape) == 4 and shape[1] * shape[2] > 1:
        return tf.reduce_mean(values, (1, 2))
    return tf.reshape(values, (1, -1))


def _compared(graph: Graph, entry: Entry, cut: Cut, real: npt.NDArray[np.float32]) -> list[str]:
    """Compare the file itself, run up to the cut, with its translation; notes for the user.

    Args:
        real: the bottleneck `[d]`, as the translation computes it for `_pixels`.

    Raises:
        EdgeretrainError: they differ by more than is allowed; the cut is neither a vector nor a feature map.
    """
    lines = []
    own = _run_file(graph, entry, cut, _pixels(entry.size))
    shape = own.shape
    if len(shape) not in (2, 4) or shape[0] != 1:
        raise EdgeretrainError(
            f"{graph.path}: {graph.tensors[cut.tensor].name} is {list(shape)}, neither a vector [1,d] nor a feature "
            "map [1,h,w,d]. Choose another tensor with --layer; `edgeretrain inspect --tensors` lists them."
        )
    if len(shape) == 4 and shape[1] * shape[2] > 1:
        lines.append(f"That is a feature map: its average over {shape[1]} x {shape[2]} positions is taken.")
        own = own.mean(axis=(1, 2))
    own = own.reshape(-1)
    if own.size != real.size:
        raise EdgeretrainError(f"{graph.path}: gives {own.size} numbers where its operators compute {real.size}.")
    if own.size > _LONG:
        lines.append(
            f"The bottleneck has {own.size:,} numbers, which makes a large head. A feature map given with --layer is "
            "averaged to one number for each channel."
        )
    how = _integers(graph, graph.needed(cut.tensor, graph.inputs))
    if not how:
        error = float(np.abs(real - own).max() / max(float(np.abs(own).max()), 1e-30))
        if not error <= FLOAT_TOLERANCE:
            raise EdgeretrainError(
                f"{graph.path}: TensorFlow computes its operators {error:.1e} away from what the file itself gives (at "
                f"most {FLOAT_TOLERANCE:.0e} is allowed). Give the network that the file was converted from."
            )
        return lines
    correlation = float(np.corrcoef(real, own)[0, 1]) if own.size > 1 else 1.0
    if not correlation >= MIN_CORRELATION:
        raise EdgeretrainError(
            f"{graph.path}: {how}, and the real numbers that they stand for make another bottleneck than the file "
            f"(correlation {correlation:.2f}, at least {MIN_CORRELATION} is needed). Give the network "
            "that the file was converted from."
        )
    difference = float(np.abs(real - own).mean() / np.abs(own).mean())
    return [
        *lines,
        f"{how}. The backbones are made of the real numbers that these stand for, without the file's rounding of "
        f"activations: on one picture they differ by {difference:.0%} on average from the file.",
    ]


def _integers(graph: Graph, operators: list[int]) -> str:
    """What a file computes in integers, for the user; "" when nothing."""
    weights = False
    for operator in (graph.operators[number] for number in operators):
        if any(graph.tensors[output].scale for output in operator.outputs):
            return "Its weights and activations are integers"
        weights |= any(given >= 0 and bool(graph.tensors[given].scale) for given in operator.inputs)
    return "Its weights are int8, and it rounds activations while it runs" if weights else ""


def _run_file(graph: Graph, entry: Entry, cut: Cut, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The tensor at the cut, as LiteRT computes it in the file for a photo `uint8 [S,S,3]`."""
    content = graph.cut(graph.needed(cut.tensor, graph.inputs), cut.tensor)
    runner = Runner(content, name=str(graph.path))
    photo = runner.inputs[0]
    given = entry.given(pixels[None])
    try:
        if photo.shape != given.shape:
            runner.resize(photo, given.shape)
        return runner.run(photo.quantization.nearest(given, photo.dtype))
    except (RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise EdgeretrainError(f"{graph.path}: cannot be run ({reason}). Copy or make it again.") from error


def _pixels(size: int) -> npt.NDArray[np.uint8]:
    """A picture with edges and areas of many colours, `uint8 [size,size,3]`: needs no photo on this machine."""
    random = np.random.default_rng(0)
    places = np.arange(size)
    blocks = [
        random.integers(0, 256, (side, side, 3))[np.ix_(places * side // size, places * side // size)]
        for side in (5, 13)
    ]
    return np.asarray(sum(blocks) // 2, np.uint8)
