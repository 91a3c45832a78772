"""A finished classifier of retrain.py or TensorFlow for Poets -> our model files, with the same scores."""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.build import run_source, write_backbones
from edgeretrain.backbone.contract import bottlenecks_of
from edgeretrain.backbone.source import BackboneSource, SourceOverrides
from edgeretrain.backbone.tensorflow_extra import require_tensorflow
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.run_folder import LABELS_FILE, model_file, new_run_folder
from edgeretrain.head.softmax import Head
from edgeretrain.importers.frozen_graph import graph_card, pixels_of, read_frozen_graph
from edgeretrain.importers.graph import CutGraph, cut_graph
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.quantization.calibration import Calibration, calibration_from
from edgeretrain.tflite.classifier_file import write_classifier
from edgeretrain.tflite.package import labels_text
from edgeretrain.version import __version__

SCORE_TOLERANCE = 1e-4
"""How far a float32 model's scores, 0 to 1, may be from those of the graph run by TensorFlow."""

_CHECKED = 16
"""Photos that the scores are compared on."""


@dataclass(frozen=True)
class ImportedModel:
    """A model file that was written, compared with its graph on the same photos.

    Attributes:
        photos: how many.
        same_label: how many of them get the same label from both.
        difference: the largest difference between two scores.
    """

    precision: Precision
    file: str
    bytes: int
    photos: int
    same_label: int
    difference: float


@dataclass(frozen=True)
class Import:
    """The result of an import: notes for the user on the graph, its labels, and the models that were written."""

    notes: tuple[str, ...]
    labels: tuple[str, ...]
    models: tuple[ImportedModel, ...]


@dataclass(frozen=True)
class _ImportedGraph:
    """A finished classifier taken apart.

    Attributes:
        source: photo -> bottleneck.
        head: bottleneck -> scores.
        pixels: what `input` takes.
        cut: the graph.
        card: for the models.
    """

    source: BackboneSource
    head: Head
    pixels: Scaling
    cut: CutGraph
    labels: tuple[str, ...]
    card: dict[str, Any]

    def scores(self, photos: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The scores of the uncut graph, run by TensorFlow, for photos `uint8 [n,S,S,3]`: `[n,k]`."""
        return self.cut.run(self.cut.output, self.pixels(photos)).reshape(len(photos), -1)


def import_graph(
    graph: Path,
    labels: Path,
    out: Path,
    *,
    precisions: Sequence[Precision],
    overrides: SourceOverrides | None = None,
    output: str | None = None,
    calibration: Path | None = None,
    progress: Progress = silent,
) -> Import:
    """Turn a finished frozen graph into `model.<precision>.tflite` and `labels.txt` in the folder `out`.

    The backbone is cut out of the graph and the head's weights are read from it. Scores of the float32 parts are
    compared with the graph's own before anything is written.

    Args:
        graph: `output_graph.pb`, `retrained_graph.pb`.
        labels: one label a line, in the order of the graph's output.
        out: written whole or not at all.
        overrides: what the user says of the graph: input, size, scale.
        output: the tensor of the scores, when the user names it.
        calibration: a folder of photos for int8, best such as the model will see; None: the default photographs.

    Raises:
        EdgeretrainError: see `read_labels`, `cut_graph` and `new_run_folder`; the graph does not end in dense layers
            and a softmax; there are more or fewer labels than outputs; the scores are not the graph's.
    """
    if not graph.is_file():
        what = "is a folder" if graph.is_dir() else "no such file"
        raise EdgeretrainError(f"{graph}: {what}. Give the graph that retrain.py wrote, such as output_graph.pb.")
    names, notes = read_labels(labels)
    step = f"Importing {graph.name}"
    progress(step, 0, 2)
    require_tensorflow()
    with new_run_folder(out) as folder:
        imported = _take_apart(graph, labels, names, overrides or SourceOverrides(), output)
        photos = calibration_from(calibration, imported.source.size)
        checked = np.stack(photos.pixels[:_CHECKED])
        expected = imported.scores(checked)
        _require_same(imported, imported.head.probabilities(run_source(imported.source, checked)), expected)
        progress(step, 1, 2)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            name = plain_name(graph)
            backbones = write_backbones(
                name, imported.source, precisions, calibration=photos, out=Path(scratch), progress=progress
            )
            models = []
            for backbone in backbones:
                content = _model(backbone, imported, photos, own_photos=calibration is not None)
                scores = bottlenecks_of(content, checked)
                if backbone.precision == "float32":
                    _require_same(imported, scores, expected)
                (folder / model_file(backbone.precision)).write_bytes(content)
                models.append(_compared(backbone.precision, content, scores, expected))
        (folder / LABELS_FILE).write_text(labels_text(names), encoding="utf-8", newline="\n")
    progress(step, 2, 2)
    return Import((*imported.source.notes, *notes), names, tuple(models))


def read_labels(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The labels of a file, one per line, and notes for the user on what was done to them.

    Numbers in front that only count the lines (`0 daisy`, `1 roses`, as Teachable Machine writes them) are taken off.

    Raises:
        EdgeretrainError: the file cannot be read, holds no label, an empty one, or one twice.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise EdgeretrainError(
            f"{path}: cannot be read ({error.strerror}). Give --labels the file of labels."
        ) from None
    except UnicodeDecodeError:
        raise EdgeretrainError(
            f"{path}: is not UTF-8 text. Give --labels the file of labels that retrain.py wrote beside the graph."
        ) from None
    lines = [line.strip() for line in text.rstrip().split("\n")]
    for number, line in enumerate(lines, start=1):
        if not line:
            where = f"line {number} is empty" if any(lines) else "it holds no label"
            raise EdgeretrainError(f"{path}: {where}. Give --labels a file with one label a line.")
    notes: tuple[str, ...] = ()
    counted = [re.fullmatch(rf"{number}[ :\t]\s*(\S.*)", line) for number, line in enumerate(lines)]
    if all(counted):
        lines = [match[1] for match in counted if match]
        notes = (f"Labels: the numbers at the start of the lines are removed, as in {lines[0]!r}.",)
    twice = sorted({line for line in lines if lines.count(line) > 1})
    if twice:
        raise EdgeretrainError(f"{path}: the label {twice[0]!r} appears twice. Give every class its own name.")
    return tuple(lines), notes


def plain_name(graph: Path) -> str:
    """The name of the backbone in the models' cards: the graph's, in plain letters."""
    return re.sub(r"[^a-z0-9]+", "_", graph.stem.lower()).strip("_") or "imported"


def _take_apart(
    graph: Path, labels: Path, names: tuple[str, ...], overrides: SourceOverrides, output: str | None
) -> _ImportedGraph:
    cut = cut_graph(read_frozen_graph(graph), overrides, what=graph.name, output=output)
    classifier = cut.classifier
    if classifier is None or classifier.function != "Softmax":
        ends = "no dense layer" if classifier is None else classifier.function or "a dense layer without softmax"
        raise EdgeretrainError(
            f"{graph.name}: its output {cut.output} comes from {ends}, and a classifier ends in a dense layer and a "
            "softmax. Name the tensor of the scores with --output, or make a backbone of it: "
            f"`edgeretrain backbone build NAME --from {graph.name}`."
        )
    outputs = len(classifier.bias)
    if outputs != len(names):
        raise EdgeretrainError(
            f"{labels}: holds {len(names)} labels, and {graph.name} has {outputs} outputs. Give the labels that were "
            "written with this graph."
        )
    pixels, by = pixels_of(cut, overrides, graph.name)
    origin = graph_card(cut, graph, pixels)
    source = BackboneSource(
        cut.network,
        cut.size,
        cut.scaling(pixels),
        cut.parameters,
        origin,
        (
            f"Input: {cut.input}, {cut.size} pixels, values {pixels} ({by}).",
            f"Head: {' and '.join(classifier.layers)}, {cut.length:,} values of {cut.layer} to {outputs} scores.",
        ),
    )
    head = Head(classifier.weights, classifier.bias)
    card = {
        "fit": "squash",  # as retrain.py and label_image.py resize
        "head": {"method": "imported", "layers": list(classifier.layers), "output": cut.output},
        "imported": {"file": graph.name, "sha256": origin["source"]["sha256"]},
    }
    return _ImportedGraph(source, head, pixels, cut, names, card)


def _model(backbone: Backbone, imported: _ImportedGraph, photos: Calibration, *, own_photos: bool) -> bytes:
    """A model file: backbone, head, labels, card."""
    values = np.zeros((1, len(imported.head.weights)), np.float32)
    if backbone.precision == "int8":
        values = bottlenecks_of(backbone.path.read_bytes(), np.stack(photos.pixels))
        if not own_photos:
            # A head is surer of the photos it is for than of any others: measured, their largest logit is 1.5 to 1.8
            # times that of the default photographs. What is above the range of int8 would be cut off.
            values = values.mean(axis=0) + 2 * (values - values.mean(axis=0))
    kept = ("source", "calibration", "converter")
    card = {
        "edgeretrain": __version__,
        "preset": backbone.preset,
        "precision": backbone.precision,
        **imported.card,
        "backbone": {"sha256": backbone.digest, **{key: backbone.card[key] for key in kept if key in backbone.card}},
    }
    return write_classifier(backbone.path, imported.head, backbone.precision, values, labels=imported.labels, card=card)


def _require_same(imported: _ImportedGraph, actual: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    difference = float(np.abs(actual - expected).max())
    if difference <= SCORE_TOLERANCE:
        return
    file = imported.card["imported"]["file"]
    why = "Name the tensor of the scores with --output and the photo's with --input."
    if imported.cut.fake_quantized:
        why = (
            "It was trained for 8 bits and rounds as it goes (FakeQuant), which our models do not do in this way. Make "
            f"a backbone of it and retrain: `edgeretrain backbone build NAME --from {file}`."
        )
    raise EdgeretrainError(
        f"{file}: the scores of its parts are {difference:.1e} away from those of the whole graph run by TensorFlow "
        f"(at most {SCORE_TOLERANCE:.0e} is allowed), so nothing was written. {why}"
    )


def _compared(
    precision: Precision, content: bytes, scores: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]
) -> ImportedModel:
    same = int((scores.argmax(axis=1) == expected.argmax(axis=1)).sum())
    difference = float(np.abs(scores - expected).max())
    return ImportedModel(precision, model_file(precision), len(content), len(scores), same, difference)
