"""From photos and a backbone to tuned backbone files. Needs TensorFlow."""

import hashlib
import importlib.util
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from edgeretrain.backbone import Backbone, backbone_name, find_backbones
from edgeretrain.backbone.source import Source
from edgeretrain.data.dataset import Dataset, label_indices
from edgeretrain.data.decoded import Pixels, decoded_photos, open_decoded
from edgeretrain.data.photos import Photo
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.fine_tuning.augmentation import DETAIL
from edgeretrain.fine_tuning.network import Network
from edgeretrain.fine_tuning.soup import cook
from edgeretrain.fine_tuning.targets import soft_labels, targets
from edgeretrain.fine_tuning.training import Lessons
from edgeretrain.fine_tuning.unfrozen import Unfrozen
from edgeretrain.fine_tuning_options import FineTuning
from edgeretrain.head.softmax import Head
from edgeretrain.options import Options
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress
from edgeretrain.quantization.calibration import DEFAULT_COUNT, Calibration
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

_KEPT = ("architecture", "alpha", "weights", "source")


def check_tunable(backbone: Path | None, precisions: Sequence[Precision], tuning: FineTuning, options: Options) -> None:
    """Whether a run can be fine-tuned. Cheap: to be called before any work.

    Args:
        backbone: a file of the user's own in place of a preset's.

    Raises:
        EdgeretrainError: such a file of integers; a head by gradient descent is wanted, too; there is no backbone of a
            name to distill from; TensorFlow is missing.
    """
    if backbone is not None and list(precisions) != ["float32"]:
        raise EdgeretrainError(
            f"{backbone} cannot be fine-tuned: only float32 weights learn. Make a backbone of it, "
            f"`edgeretrain backbone build NAME --from {backbone}`, and give --preset NAME; or give a float32 file."
        )
    if options.sgd is not None:
        raise EdgeretrainError(
            "--how-many-training-steps trains the head as retrain.py did and cannot be had with --fine-tune, which "
            "trains head and backbone for a number of --epochs. Leave one of them out."
        )
    for name in tuning.distill_from:
        backbone_name(name)
    if importlib.util.find_spec("tensorflow") is None:
        raise EdgeretrainError(
            'Fine-tuning needs TensorFlow, which is not installed. Run pip install "edgeretrain[tensorflow]".'
        )


@dataclass(frozen=True)
class Learner:
    """A network that is ready to learn.

    Attributes:
        backbone: the float32 file that it starts from.
        distilled: the backbones that it is to learn from.
    """

    backbone: Backbone
    tuning: FineTuning
    network: Network
    distilled: tuple[Backbone, ...]


def prepare(backbone: Backbone, tuning: FineTuning, *, progress: Progress) -> Learner:
    """Load a float32 backbone into TensorFlow.

    Raises:
        EdgeretrainError: TensorFlow or a backbone to distill from is missing; the backbone has fewer layers, or an
            operator that cannot be translated.
    """
    from edgeretrain.backbone.build import require_tensorflow

    require_tensorflow()
    network = Network(Unfrozen(backbone.path, tuning.layers), batch_size=tuning.batch_size)
    names = tuning.distill_from if tuning.distillation else ()
    distilled = tuple(find_backbones(name, ("float32",), progress=progress)[0] for name in names)
    return Learner(backbone, tuning, network, distilled)


@dataclass(frozen=True)
class Tuner:
    """A learner and all that one fine-tuning needs besides.

    Attributes:
        extractor: of the bottlenecks to distill from; its cache folder also holds the state of a training that was
            stopped.
    """

    learner: Learner
    dataset: Dataset
    options: Options
    extractor: Extractor

    @property
    def _learnt(self) -> tuple[Photo, ...]:
        """The photos that are learnt from: those of training, then those of validation."""
        return self.dataset.split.training + self.dataset.split.validation

    def tune(self, frozen: Sequence[Backbone], out: Path) -> tuple[list[Backbone], Head, FineTuningRecord]:
        """Train, and write the tuned backbones into the folder `out`, in the precisions of the frozen ones.

        A training that was stopped goes on after its last finished epoch.

        Returns:
            The backbones, none if the validation photos like the frozen one better; the head that was trained with
            them; and the report's record.

        Raises:
            EdgeretrainError: a photo changed; no room on the disk.
        """
        from edgeretrain.backbone.build import write_backbones

        tuning, network = self.learner.tuning, self.learner.network
        name = self.learner.backbone.preset
        lessons, distillation = self._lessons()
        with quiet():
            soup = cook(
                network,
                lessons,
                tuning,
                seed=self.options.seed,
                folder=self.state,
                done=partial(self.extractor.progress, f"Fine-tuning {name}"),
            )
        record = FineTuningRecord(
            options=tuning,
            distillation=distillation,
            averaged=tuple(soup.averaged),
            validation_log_loss=soup.verdict.log_loss,
            validation_error=soup.verdict.error,
            validation_top1=soup.verdict.top1,
            trainings=soup.trainings,
        )
        if not record.averaged:
            return [], network.head, record
        chosen = (record.trainings[number] for number in record.averaged)
        averaged = tuple(AveragedTraining(seed=training.seed, best_epoch=training.best_epoch) for training in chosen)
        precisions: list[Precision] = [backbone.precision for backbone in frozen]
        backbones = write_backbones(
            name,
            self._source(FineTunedBackbone(**vars(tuning), averaged=averaged)),
            precisions,
            calibration=self._calibration(lessons.pixels) if "int8" in precisions else None,
            out=out,
            progress=self.extractor.progress,
        )
        return backbones, network.head, record

    @property
    def state(self) -> Path:
        """The folder where the training's state is kept: another one for other photos, options, weights, versions."""
        import tensorflow as tf

        options = self.options
        photos = [[photo.digest, photo.label] for photo in self._learnt]
        settings = [__version__, tf.__version__]
        settings += [one.digest for one in (self.learner.backbone, *self.learner.distilled)]
        settings += [asdict(self.learner.tuning), options.fit, options.class_weight, options.seed]
        text = json.dumps([*settings, len(self.dataset.split.training), photos])
        return self.extractor.cache / "fine_tuning" / hashlib.sha256(text.encode()).hexdigest()[:32]

    def forget(self) -> None:
        """Remove the training's state: to be called when its result is safe."""
        shutil.rmtree(self.state, ignore_errors=True)

    def _lessons(self) -> tuple[Lessons, DistillationRecord | None]:
        """What is learnt from, and what the report says of the distillation."""
        photos, size = self._learnt, self._size
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
        classes, learnt = len(self.dataset.labels), len(self.dataset.split.training)
        training, validation = np.split(np.arange(len(photos)), [learnt])
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
        wanted = targets(labels, classes, self.learner.tuning, soft)
        return Lessons(pixels, detailed, labels, wanted, training, validation, weight), record

    @property
    def _size(self) -> int:
        return self.learner.network.backbone.size

    def decoded(self, digest: str, size: int) -> Pixels | None:
        """Pixels `uint8 [size, size, 3]` of a photo that is learnt from, by digest; None: not here in this size."""
        row = self._rows.get(digest)
        if row is None or size != self._size:
            return None
        return np.array(open_decoded(self.state, len(self._learnt), size)[row])

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {photo.digest: row for row, photo in enumerate(self._learnt)}

    def _calibration(self, pixels: Pixels) -> Calibration:
        """Training photos drawn by chance: what the tuned layers make of them is what they will make of others."""
        learnt = len(self.dataset.split.training)
        drawn = np.random.default_rng(self.options.seed).permutation(learnt)[:DEFAULT_COUNT]
        card = {"source": "training photos", "photos": len(drawn), "seed": self.options.seed}
        return Calibration([np.array(pixels[row]) for row in np.sort(drawn)], card)

    def _source(self, fine_tuned: FineTunedBackbone) -> Source:
        """The tuned network, whose card says what the frozen one's said, and how it was tuned."""
        backbone, network = self.learner.backbone, self.learner.network.backbone
        card = {key: backbone.card[key] for key in _KEPT if key in backbone.card} or {
            "architecture": backbone.preset,
            "source": {"kind": "TFLite file", "file": backbone.path.name, "sha256": backbone.digest},
        }
        parameters = int(backbone.card.get("parameters", network.parameters))
        return Source(network, network.size, network.scaling, parameters, {**card, "fine_tuned": to_json(fine_tuned)})
