"""The models of many presets from one pass over the photos."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from edgeretrain.backbone import Backbone
from edgeretrain.data.pixel_store import PixelStore
from edgeretrain.features.extract import Extractor
from edgeretrain.files.run_folder import new_run_folder
from edgeretrain.options import Options
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress
from edgeretrain.records.sweep import SweepFailure
from edgeretrain.records.training import Report
from edgeretrain.report import Thumbnails
from edgeretrain.sweep.backbones import failures, reason_of
from edgeretrain.threads import available_cores
from edgeretrain.training.retrain import Scan, make_report, train_and_evaluate
from edgeretrain.training.run import Run


@dataclass(frozen=True)
class Outcome:
    """What became of a preset: the report of its run folder, None when all its models failed, and what failed."""

    report: Report | None
    failed: list[SweepFailure]


@dataclass(frozen=True)
class PresetTrainer:
    """Makes the run folders of presets, without their bottlenecks: only the one that is picked may ever be taught.

    Attributes:
        folder: of the sweep.
        asked: precisions that the sweep asks for.
        scan: the photos; their bottlenecks are in the extractor's cache.
        store: pixels of test photos.
    """

    folder: Path
    asked: Sequence[Precision]
    scan: Scan
    options: Options
    extractor: Extractor
    store: PixelStore
    thumbnails: Thumbnails = field(default_factory=Thumbnails)

    def train_all(self, backbones: Mapping[str, Sequence[Backbone]], progress: Progress) -> dict[str, Outcome]:
        """The outcome of each preset, several presets side by side when there are more cores than precisions."""
        cores = self.extractor.workers or available_cores()
        outcomes = {}
        progress("Models", 0, len(backbones))
        with ThreadPoolExecutor(max(1, cores // max(1, len(self.asked))), thread_name_prefix="preset") as threads:
            waiting = {threads.submit(self._outcome, preset, needed): preset for preset, needed in backbones.items()}
            for done, future in enumerate(as_completed(waiting), start=1):
                outcomes[waiting[future]] = future.result()
                progress("Models", done, len(backbones))
        return {preset: outcomes[preset] for preset in backbones}

    def _outcome(self, preset: str, backbones: Sequence[Backbone]) -> Outcome:
        """Retrain a preset; when that fails, find out which precisions are to blame and do the others."""
        reasons: dict[Precision, str] = {}
        for column, error in self.scan.failures.items():
            if column.backbone in backbones:
                reasons[column.backbone.precision] = reason_of(error)
        sound = [backbone for backbone in backbones if backbone.precision not in reasons]
        report = None
        if sound:
            try:
                report = self._retrain(preset, sound)
            except Exception as error:  # whatever one preset does to the runtime, the others go on
                if len(sound) == 1:
                    reasons[sound[0].precision] = reason_of(error)
                else:
                    report = self._retrain_what_works(preset, sound, reasons)
        asked = [backbone.precision for backbone in backbones]
        reason_of_all = set(reasons.values()) if len(reasons) == len(asked) == len(self.asked) else set()
        if len(reason_of_all) == 1:
            return Outcome(report, failures(preset, asked, self.asked, "retrain", reason_of_all.pop()))
        return Outcome(
            report,
            [
                SweepFailure(preset=preset, precision=precision, stage="retrain", reason=reasons[precision])
                for precision in asked
                if precision in reasons
            ],
        )

    def _retrain_what_works(
        self, preset: str, backbones: Sequence[Backbone], reasons: dict[Precision, str]
    ) -> Report | None:
        """Each precision alone; then those together that did not fail. The reasons of the others are put in."""
        for backbone in backbones:
            try:
                self._retrain(preset, [backbone])
            except Exception as error:
                reasons[backbone.precision] = reason_of(error)
        works = [backbone for backbone in backbones if backbone.precision not in reasons]
        try:
            return self._retrain(preset, works) if works else None
        except Exception as error:
            reasons.update({backbone.precision: reason_of(error) for backbone in works})
            return None

    def _retrain(self, preset: str, backbones: Sequence[Backbone]) -> Report:
        extractor = self.extractor
        with new_run_folder(self.folder / preset) as folder:
            run = Run(
                folder,
                self.scan.dataset,
                self.options,
                extractor.runtime,
                extractor.workers,
                extractor.progress,
                keep_bottlenecks=False,
                decoded=self.store.get,
                thumbnails=self.thumbnails,
            )
            report = make_report(preset, run, self.scan, train_and_evaluate(run, backbones, extractor))
            run.write_report(report, {photo.name: photo.path for photo in self.scan.dataset.split.testing})
        return report
