"""From photos and a preset to tuned backbone files. Needs TensorFlow."""

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.calibration import DEFAULT_COUNT, Calibration
from edgeretrain.backbone.quiet import quiet
from edgeretrain.backbone.store import weights_cache
from edgeretrain.backbone.weights import find_weights
from edgeretrain.bottlenecks import compute_bottlenecks
from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning.augmentation import Pixels
from edgeretrain.fine_tuning.network import Network
from edgeretrain.fine_tuning.options import FineTuning
from edgeretrain.fine_tuning.pixel_file import decoded_photos
from edgeretrain.fine_tuning.training import Lessons, best_epoch, train
from edgeretrain.head import Head
from edgeretrain.modelling import Options, label_indices
from edgeretrain.photos import PhotoSet
from edgeretrain.presets import BUILDABLE, Precision, Preset
from edgeretrain.progress import Progress
from edgeretrain.split import Split
from edgeretrain.tflite.runtime import Runtime
from edgeretrain.version import __version__

_COMPARED = 16  # photos
_LEAST_CORRELATION = 0.9


def check_tunable(name: str | None, options: Options) -> Preset:
    """The preset to tune. Cheap: to be called before any work.

    Args:
        name: of the backbone; None for a file of the user's own.

    Raises:
        EdgeretrainError: the backbone is no preset's; a head by gradient descent is wanted, too; TensorFlow is missing.
    """
    if name is None or name not in BUILDABLE:
        what = "A .tflite backbone" if name is None else f"{name}"
        raise EdgeretrainError(
            f"{what} cannot be fine-tuned: it is a finished file, and only a preset's weights can learn on. "
            "Use --preset, or leave --fine-tune out."
        )
    if options.sgd is not None:
        raise EdgeretrainError(
            "--how-many-training-steps trains the head as retrain.py did and cannot be had with --fine-tune, which "
            "trains head and backbone for a number of --epochs. Leave one of them out."
        )
    if importlib.util.find_spec("tensorflow") is None:
        raise EdgeretrainError(
            'Fine-tuning needs TensorFlow, which is not installed. Run pip install "edgeretrain[tensorflow]".'
        )
    return BUILDABLE[name]


@dataclass(frozen=True)
class Learner:
    """A preset's network that is ready to learn, and what is known of its weights."""

    preset: Preset
    tuning: FineTuning
    network: Network
    weights: dict[str, Any]


def prepare(preset: Preset, tuning: FineTuning, *, progress: Progress) -> Learner:
    """Load the preset's weights into TensorFlow.

    Raises:
        EdgeretrainError: TensorFlow or the weights are missing; the backbone has fewer layers.
    """
    from edgeretrain.backbone.build import require_tensorflow
    from edgeretrain.backbone.keras_model import keras_model, load_weights

    require_tensorflow()
    found = find_weights(preset, weights_cache(), progress=progress)
    with quiet():
        model = keras_model(preset)
        load_weights(model, preset, found.path)
        network = Network(model, tuning.layers, batch_size=tuning.batch_size, label_smoothing=tuning.label_smoothing)
    return Learner(preset, tuning, network, found.card())


@dataclass(frozen=True)
class Tuner:
    """A learner and all that one fine-tuning needs besides.

    Attributes:
        cache: folder of the cache: bottlenecks of the frozen backbone, and the state of a training that was stopped.
    """

    learner: Learner
    photo_set: PhotoSet
    split: Split
    options: Options
    cache: Path
    runtime: Runtime
    workers: int | None
    progress: Progress

    def tune(self, frozen: Sequence[Backbone], out: Path) -> tuple[list[Backbone], Head, dict[str, Any]]:
        """Train, and write the tuned backbones into the folder `out`, in the precisions of the frozen ones.

        A training that was stopped goes on after its last finished epoch.

        Returns:
            The backbones, none if the validation photos like the frozen one better; the head that was trained with
            them; and the report's record.

        Raises:
            EdgeretrainError: the frozen backbones were made from other weights; a photo changed; no room on the disk.
        """
        from edgeretrain.backbone.build import preset_source, write_backbones

        preset, tuning, network = self.learner.preset, self.learner.tuning, self.learner.network
        lessons = self._lessons()
        self._check_same_network(frozen[0], lessons.pixels)
        with quiet():
            history = train(
                network,
                lessons,
                tuning,
                seed=self.options.seed,
                state_file=self.state / "state.npz",
                done=partial(self.progress, f"Fine-tuning {preset.name}"),
            )
        best = best_epoch(history)
        record = {"options": asdict(tuning), "best_epoch": best, "history": history}
        if best == 0:
            return [], network.head, record
        card = {**self.learner.weights, "fine_tuned": {**asdict(tuning), "seed": self.options.seed, "epoch": best}}
        precisions: list[Precision] = [one.precision for one in frozen]
        backbones = write_backbones(
            preset.name,
            preset_source(preset, network.model, card),
            precisions,
            calibration=self._calibration(lessons.pixels) if "int8" in precisions else None,
            out=out,
            progress=self.progress,
        )
        return backbones, network.head, record

    @property
    def state(self) -> Path:
        """The folder where the training's state is kept: another one for other photos, options, weights, versions."""
        import tensorflow as tf

        options = self.options
        photos = [[photo.digest, photo.label] for photo in (*self.split.training, *self.split.validation)]
        settings = [__version__, tf.__version__, self.learner.preset.name, self.learner.weights["sha256"]]
        settings += [asdict(self.learner.tuning), options.fit, options.class_weight, options.seed]
        text = json.dumps([*settings, len(self.split.training), photos])
        return self.cache / "fine_tuning" / hashlib.sha256(text.encode()).hexdigest()[:32]

    def forget(self) -> None:
        """Remove the training's state: to be called when its result is safe."""
        shutil.rmtree(self.state, ignore_errors=True)

    def _lessons(self) -> Lessons:
        photos = [*self.split.training, *self.split.validation]
        pixels = decoded_photos(
            self.state / "photos.uint8",
            photos,
            self.learner.preset.resolution,
            self.options.fit,
            workers=self.workers,
            progress=self.progress,
        )
        labels = self.photo_set.labels
        rows, learnt = np.arange(len(photos)), len(self.split.training)
        return Lessons(
            pixels, label_indices(labels, photos), len(labels), rows[:learnt], rows[learnt:], self.options.class_weight
        )

    def _calibration(self, pixels: Pixels) -> Calibration:
        """Training photos drawn by chance: what the tuned layers make of them is what they will make of others."""
        learnt = len(self.split.training)
        drawn = np.random.default_rng(self.options.seed).permutation(learnt)[:DEFAULT_COUNT]
        card = {"source": "training photos", "photos": len(drawn), "seed": self.options.seed}
        return Calibration([np.array(pixels[row]) for row in np.sort(drawn)], card)

    def _check_same_network(self, backbone: Backbone, pixels: Pixels) -> None:
        """Whether the weights that are to learn are those that the frozen backbone was made from.

        Raises:
            EdgeretrainError: they are not.
        """
        photos = self.split.training[:_COMPARED]
        made = compute_bottlenecks(
            photos, backbone, fit=self.options.fit, cache=self.cache, workers=self.workers, runtime=self.runtime
        )
        own = self.learner.network.bottlenecks(pixels, np.arange(len(photos)))
        if np.corrcoef(own.ravel(), made.values.ravel())[0, 1] < _LEAST_CORRELATION:
            raise EdgeretrainError(
                f"{backbone.path}: was made from other weights than {self.learner.weights['file']}, so its frozen "
                f"result is no start for fine-tuning these. Make it again: `edgeretrain backbone build "
                f"{self.learner.preset.name}`."
            )
