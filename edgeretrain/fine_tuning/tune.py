"""From photos and a backbone to tuned backbone files. Needs TensorFlow."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import cast

import numpy as np

from edgeretrain.backbone import Backbone, backbone_name, find_backbones, tensorflow_extra
from edgeretrain.backbone.source import BackboneSource, SourceCard
from edgeretrain.data.dataset import Dataset, label_indices
from edgeretrain.data.decoded import decoded_photos, open_decoded
from edgeretrain.data.photos import Photo
from edgeretrain.data.pixels import Pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.fine_tuning.augmentation import DETAIL
from edgeretrain.fine_tuning.soup import train_soup
from edgeretrain.fine_tuning.targets import soft_labels, targets
from edgeretrain.fine_tuning.trainable_backbone import TrainableBackbone
from edgeretrain.fine_tuning.trainable_network import TrainableNetwork
from edgeretrain.fine_tuning.training import TrainingSet
from edgeretrain.head.softmax import Head
from edgeretrain.options import FineTuning, Options
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress
from edgeretrain.quantization.calibration import DEFAULT_COUNT, Calibration, CalibrationCard
from edgeretrain.records.json_form import to_json
from edgeretrain.records.training import (
    AveragedTraining,
    DistillationRecord,
    DistilledBackbone,
    FineTunedBackbone,
    FineTuningRecord,
)
from edgeretrain.tflite.quiet import quiet
from edgeretrain.version import __version__

_CARD_KEYS = ("architecture", "alpha", "weights", "source")


def check_tunable(backbone: Path | None, precisions: Sequence[Precision], tuning: FineTuning, options: Options) -> None:
    """Check that a run can be fine-tuned. Cheap: to be called before any work.

    Args:
        backbone: the user's own file instead of a preset's.

    Raises:
        EdgeretrainError: that file is not to be used as float32; the options also ask for a head trained by SGD; a
            name to distill from is unknown; TensorFlow is missing.
    """
    if backbone is not None and list(precisions) != ["float32"]:
        raise EdgeretrainError(
            f"{backbone} cannot be fine-tuned: only float32 weights can be trained. Make a backbone of it, "
            f"`edgeretrain backbone build NAME --from {backbone}`, and give --preset NAME; or give a float32 file."
        )
    if options.sgd is not None:
        raise EdgeretrainError(
            "--how-many-training-steps trains the head as retrain.py did and cannot be combined with --fine-tune, "
            "which trains head and backbone for a number of --epochs. Leave out one of them."
        )
    for name in tuning.distill_from:
        backbone_name(name)
    if not tensorflow_extra.tensorflow_available():
        raise tensorflow_extra.tensorflow_missing("Fine-tuning")


@dataclass(frozen=True)
class Learner:
    """A network that is ready for training.

    Attributes:
        backbone: the float32 file that it starts from.
        distilled: the teachers, frozen backbones.
    """

    backbone: Backbone
    tuning: FineTuning
    network: TrainableNetwork
    distilled: tuple[Backbone, ...]


def prepare(backbone: Backbone, tuning: FineTuning, *, progress: Progress) -> Learner:
    """Load a float32 backbone into TensorFlow.

    Raises:
        EdgeretrainError: TensorFlow or a backbone to distill from is missing; the backbone has fewer layers, or an
            operator that cannot be translated.
    """
    tensorflow_extra.require_tensorflow()
    network = TrainableNetwork(TrainableBackbone(backbone.path, tuning.layers), batch_size=tuning.batch_size)
    names = tuning.distill_from if tuning.distillation else ()
    distilled = tuple(find_backbones(name, ("float32",), progress=progress)[0] for name in names)
    return Learner(backbone, tuning, network, distilled)


@dataclass(frozen=True)
class Tuner:
    """A learner and everything else that a fine-tuning needs.

    Attributes:
        extractor: of the teachers' bottlenecks; its cache folder also holds the state of a training that was stopped.
    """

    learner: Learner
    dataset: Dataset
    options: Options
    extractor: Extractor

    @property
    def _photos(self) -> tuple[Photo, ...]:
        """The training photos, then the validation photos."""
        return self.dataset.split.training + self.dataset.split.validation

    def tune(self, frozen: Sequence[Backbone], out: Path) -> tuple[list[Backbone], Head, FineTuningRecord]:
        """Train, and write the tuned backbones into the folder `out`, in the precisions of the frozen ones.

        A training that was stopped goes on after its last finished epoch.

        Returns:
            The backbones, none if the frozen one is better on the validation photos; the head that was trained with
            them; and the record for the report.

        Raises:
            EdgeretrainError: a photo changed; no room on the disk.
        """
        from edgeretrain.backbone.build import write_backbones

        tuning, network = self.learner.tuning, self.learner.network
        name = self.learner.backbone.preset
        training_set, distillation = self._training_set()
        with quiet():
            soup = train_soup(
                network,
                training_set,
                tuning,
                seed=self.options.seed,
                folder=self.state,
                done=partial(self.extractor.progress, f"Fine-tuning {name}"),
            )
        record = FineTuningRecord(
            options=tuning,
            distillation=distillation,
            averaged=tuple(soup.averaged),
            validation_log_loss=soup.metrics.log_loss,
            validation_error=soup.metrics.error,
            validation_top1=soup.metrics.top1,
            trainings=soup.trainings,
        )
        if not record.averaged:
            return [], network.head, record
        chosen = (record.trainings[number] for number in record.averaged)
        averaged = tuple(AveragedTraining(seed=training.seed, best_epoch=training.best_epoch) for training in chosen)
        precisions = [backbone.precision for backbone in frozen]
        backbones = write_backbones(
            name,
            self._source(FineTunedBackbone(**vars(tuning), averaged=averaged)),
            precisions,
            calibration=self._calibration(training_set.pixels) if "int8" in precisions else None,
            out=out,
            progress=self.extractor.progress,
        )
        return backbones, network.head, record

    @property
    def state(self) -> Path:
        """The folder of the training's state: another one for other photos, options, weights or versions."""
        import tensorflow as tf

        options = self.options
        photos = [[photo.digest, photo.label] for photo in self._photos]
        settings = [__version__, tf.__version__]
        settings += [backbone.digest for backbone in (self.learner.backbone, *self.learner.distilled)]
        settings += [asdict(self.learner.tuning), options.fit, options.class_weight, options.seed]
        text = json.dumps([*settings, len(self.dataset.split.training), photos])
        return self.extractor.cache / "fine_tuning" / hashlib.sha256(text.encode()).hexdigest()[:32]

    def forget(self) -> None:
        """Remove the training's state; call it when the result is saved."""
        shutil.rmtree(self.state, ignore_errors=True)

    def _training_set(self) -> tuple[TrainingSet, DistillationRecord | None]:
        """The training set, and the report's record of the distillation."""
        photos, size = self._photos, self._size
        # Without augmentation there are no crops to cut from larger pixels.
        sizes = (size, DETAIL * size) if self.learner.tuning.augmentation else (size,)
        decoded = decoded_photos(
            self.state,
            photos,
            sizes,
            self.options.fit,
            workers=self.extractor.workers,
            progress=self.extractor.progress,
        )
        pixels, detailed = decoded[sizes[0]], decoded[sizes[-1]]
        labels, weight = label_indices(self.dataset.labels, photos), self.options.class_weight
        classes, count = len(self.dataset.labels), len(self.dataset.split.training)
        training, validation = np.split(np.arange(len(photos)), [count])
        soft, record = None, None
        if self.learner.distilled:
            values = np.concatenate(
                [self.extractor.features(photos, Column(teacher)) for teacher in self.learner.distilled], axis=1
            )
            soft, choice = soft_labels(values, labels, classes, training, validation, weight)
            record = DistillationRecord(
                backbones=tuple(
                    DistilledBackbone(preset=teacher.preset, sha256=teacher.digest)
                    for teacher in self.learner.distilled
                ),
                l2=choice.l2,
                validation_log_loss=choice.validation_log_loss,
                validation_top1=choice.validation_top1,
            )
        mixed = targets(labels, classes, self.learner.tuning, soft)
        return TrainingSet(pixels, detailed, labels, mixed, training, validation, weight), record

    @property
    def _size(self) -> int:
        return self.learner.network.backbone.size

    def decoded(self, digest: str, size: int) -> Pixels | None:
        """Pixels `uint8 [size, size, 3]` of a training or validation photo, by digest; None: not here in this size."""
        row = self._rows.get(digest)
        if row is None or size != self._size:
            return None
        return np.array(open_decoded(self.state, len(self._photos), size)[row])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {photo.digest: row for row, photo in enumerate(self._photos)}

    def _calibration(self, pixels: Pixels) -> Calibration:
        """Random training photos: the tuned layers' activations on them are like those on other photos."""
        count = len(self.dataset.split.training)
        drawn = np.random.default_rng(self.options.seed).permutation(count)[:DEFAULT_COUNT]
        card: CalibrationCard = {"source": "training photos", "photos": len(drawn), "seed": self.options.seed}
        return Calibration([np.array(pixels[row]) for row in np.sort(drawn)], card)

    def _source(self, fine_tuned: FineTunedBackbone) -> BackboneSource:
        """The tuned network; its card holds what the frozen one's card says, and how it was tuned."""
        backbone, network = self.learner.backbone, self.learner.network.backbone
        card: SourceCard = {
            "architecture": backbone.preset,
            "source": {"kind": "TFLite file", "file": backbone.path.name, "sha256": backbone.digest},
        }
        if kept := {key: backbone.card[key] for key in _CARD_KEYS if key in backbone.card}:
            card = cast("SourceCard", kept)
        parameters = int(backbone.card.get("parameters", network.parameters))
        tuned_card: SourceCard = {**card, "fine_tuned": to_json(fine_tuned)}
        return BackboneSource(network, network.size, network.scaling, parameters, tuned_card)
