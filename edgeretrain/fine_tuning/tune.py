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

from edgeretrain.backbone import Backbone, backbone_name, find_backbones
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
from edgeretrain.fine_tuning.targets import soft_labels, targets
from edgeretrain.fine_tuning.training import Lessons, best_epoch, train
from edgeretrain.head import Floats, Head
from edgeretrain.modelling import Options, label_indices, require_all
from edgeretrain.photos import Photo, PhotoSet
from edgeretrain.presets import BUILDABLE, Precision, Preset
from edgeretrain.progress import Progress
from edgeretrain.split import Split
from edgeretrain.tflite.runtime import Runtime
from edgeretrain.version import __version__

_COMPARED = 16  # photos
_LEAST_CORRELATION = 0.9


def check_tunable(name: str | None, tuning: FineTuning, options: Options) -> Preset:
    """The preset to tune. Cheap: to be called before any work.

    Args:
        name: of the backbone; None for a file of the user's own.

    Raises:
        EdgeretrainError: the backbone is no preset's; a head by gradient descent is wanted, too; there is no backbone
            of a name to distill from; TensorFlow is missing.
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
    for other in tuning.distill_from:
        backbone_name(other)
    if importlib.util.find_spec("tensorflow") is None:
        raise EdgeretrainError(
            'Fine-tuning needs TensorFlow, which is not installed. Run pip install "edgeretrain[tensorflow]".'
        )
    return BUILDABLE[name]


@dataclass(frozen=True)
class Learner:
    """A preset's network that is ready to learn.

    Attributes:
        weights: what is known of the weights it starts with.
        distilled: the backbones that it is to learn from.
    """

    preset: Preset
    tuning: FineTuning
    network: Network
    weights: dict[str, Any]
    distilled: tuple[Backbone, ...]


def prepare(preset: Preset, tuning: FineTuning, *, progress: Progress) -> Learner:
    """Load the preset's weights into TensorFlow.

    Raises:
        EdgeretrainError: TensorFlow, the weights or a backbone to distill from is missing; there are fewer layers.
    """
    from edgeretrain.backbone.build import require_tensorflow
    from edgeretrain.backbone.keras_model import keras_model, load_weights

    require_tensorflow()
    found = find_weights(preset, weights_cache(), progress=progress)
    with quiet():
        model = keras_model(preset)
        load_weights(model, preset, found.path)
        network = Network(model, tuning.layers, batch_size=tuning.batch_size)
    names = tuning.distill_from if tuning.distillation else ()
    distilled = tuple(find_backbones(name, ("float32",), progress=progress)[0] for name in names)
    return Learner(preset, tuning, network, found.card(), distilled)


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
        lessons, distillation = self._lessons()
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
        told = {**asdict(tuning), "distill_from": list(tuning.distill_from)}  # as JSON has it
        record = {"options": told, **distillation, "best_epoch": best, "history": history}
        if best == 0:
            return [], network.head, record
        card = {**self.learner.weights, "fine_tuned": {**told, "seed": self.options.seed, "epoch": best}}
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
        settings += [one.digest for one in self.learner.distilled]
        settings += [asdict(self.learner.tuning), options.fit, options.class_weight, options.seed]
        text = json.dumps([*settings, len(self.split.training), photos])
        return self.cache / "fine_tuning" / hashlib.sha256(text.encode()).hexdigest()[:32]

    def forget(self) -> None:
        """Remove the training's state: to be called when its result is safe."""
        shutil.rmtree(self.state, ignore_errors=True)

    def _lessons(self) -> tuple[Lessons, dict[str, Any]]:
        """What is learnt from, and what the report says of the distillation."""
        photos = [*self.split.training, *self.split.validation]
        pixels = decoded_photos(
            self.state / "photos.uint8",
            photos,
            self.learner.preset.resolution,
            self.options.fit,
            workers=self.workers,
            progress=self.progress,
        )
        labels, weight = label_indices(self.photo_set.labels, photos), self.options.class_weight
        classes, learnt = len(self.photo_set.labels), len(self.split.training)
        training, validation = np.split(np.arange(len(photos)), [learnt])
        soft, record = None, {}
        if self.learner.distilled:
            values = np.concatenate([self._bottlenecks(photos, one) for one in self.learner.distilled], axis=1)
            soft, choice = soft_labels(values, labels, classes, training, validation, weight)
            record["distillation"] = {
                "backbones": [{"preset": one.preset, "sha256": one.digest} for one in self.learner.distilled],
                **asdict(choice),
            }
        wanted = targets(labels, classes, self.learner.tuning, soft)
        return Lessons(pixels, labels, wanted, training, validation, weight), record

    def _bottlenecks(self, photos: Sequence[Photo], backbone: Backbone) -> Floats:
        made = compute_bottlenecks(
            photos,
            backbone,
            fit=self.options.fit,
            cache=self.cache,
            workers=self.workers,
            runtime=self.runtime,
            progress=self.progress,
        )
        require_all(made.skipped)
        return made.values

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
        made = self._bottlenecks(self.split.training[:_COMPARED], backbone)
        own = self.learner.network.bottlenecks(pixels, np.arange(len(made)))
        if np.corrcoef(own.ravel(), made.ravel())[0, 1] < _LEAST_CORRELATION:
            raise EdgeretrainError(
                f"{backbone.path}: was made from other weights than {self.learner.weights['file']}, so its frozen "
                f"result is no start for fine-tuning these. Make it again: `edgeretrain backbone build "
                f"{self.learner.preset.name}`."
            )
