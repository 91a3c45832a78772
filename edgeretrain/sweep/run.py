"""sweep(): every selected preset and precision retrained, proven and timed, then the pick under a budget."""

import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from edgeretrain.backbone import Backbone
from edgeretrain.data.layout import Layout, open_photos
from edgeretrain.data.pixel_store import pixel_store
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.extract import Extractor
from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.run_folder import check_apart
from edgeretrain.options import Options
from edgeretrain.paths import cache_folder
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.records.benchmark import RUNS, SECONDS, Benchmark, BenchmarkResult
from edgeretrain.records.files import json_text, read_record
from edgeretrain.records.sweep import (
    Candidate,
    LatencyConditions,
    SavedLatency,
    Sweep,
    SweepBudget,
    SweepFailure,
    SweepLatency,
    SweepPhotos,
)
from edgeretrain.records.training import PhotoRecord
from edgeretrain.sweep.backbones import SMALL, gather_backbones, select_presets
from edgeretrain.sweep.budget import Budget
from edgeretrain.sweep.candidates import make_candidate, with_latency
from edgeretrain.sweep.choose import nearest_miss, pick, with_fronts
from edgeretrain.sweep.folder import (
    LATENCY_FILE,
    PAGE_FILE,
    PICTURE_FILES,
    RESULT_FILE,
    check_sweep_folder,
    finished_run,
    listed_files,
    make_sweep_folder,
)
from edgeretrain.sweep.retraining import PresetTrainer
from edgeretrain.tflite.runtime import load_runtime
from edgeretrain.threads import check_threads
from edgeretrain.training.retrain import check_sets, scan_photos
from edgeretrain.training.run import photo_record
from edgeretrain.version import __version__


class Measure(Protocol):
    """Measures model files, here or on a device; see `benchmark.benchmark` for the duration."""

    def __call__(self, models: Sequence[Path], *, runs: int = RUNS, seconds: float = SECONDS) -> Benchmark: ...


def sweep(
    photos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    presets: Sequence[str] = SMALL,
    precisions: Sequence[Precision] = PRECISIONS,
    budget: Budget | None = None,
    latency: bool = True,
    device: str | None = None,
    threads: int = 1,
    remeasure: bool = False,
    options: Options | None = None,
    layout: Layout = "auto",
    validation: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    strict: bool = False,
    cache: str | os.PathLike[str] | None = None,
    runtime: str | None = None,
    workers: int | None = None,
    progress: Progress = silent,
) -> Sweep:
    """Retrain, prove and time every selected preset at every precision, and pick one under a budget.

    Writes a run folder for each preset, without its bottlenecks, into the folder `out`, and beside them `sweep.json`
    (what is returned), `report.html` and `pareto.svg`. A run folder that is already there and would come out the same
    is taken as it is: a sweep that was stopped goes on where it was. What fails is listed in `failed`; everything else
    is done all the same.

    Args:
        presets: names, or patterns such as `mobilenet_v2_*`; own backbones' too. Default: all MobileNets and NASNet.
        latency: measure the models; see docs/measuring.md.
        device: `ssh://user@host`, where the models are measured in place of this machine.
        threads: of the interpreter when it is measured.
        remeasure: measure again what was measured in an earlier run.
        options, layout, validation, test, strict, cache, runtime, workers: as of `retrain`.

    Returns:
        The sweep. `edgeretrain.to_json` makes plain JSON of it, as in `sweep.json`; docs/reference/report-json.md
        explains both.

    Raises:
        EdgeretrainError: the photos, a pattern, the budget, the device or `out` cannot be used.
    """
    budget = budget or Budget()
    options = options or Options()
    if budget.max_latency is not None and not latency:
        raise EdgeretrainError("A --max-latency cannot be kept without measuring. Leave out --no-latency.")
    if device is not None and not latency:
        raise EdgeretrainError(f"There is nothing to do on {device} without measuring. Leave out --no-latency.")
    check_threads(threads)
    names = select_presets(presets)
    precisions = [precision for precision in PRECISIONS if precision in precisions]
    if not precisions:
        raise EdgeretrainError(f"No precision is given. Use {', '.join(PRECISIONS)} or all.")
    folder = Path(out)
    for source_folder in (photos, validation, test):
        if source_folder is not None:
            check_apart(Path(source_folder), folder)
    source = open_photos(photos, layout=layout, validation=validation, test=test)
    check_sets(source, options)
    loaded = load_runtime(runtime)
    measure = _measurement(device, threads, runtime, progress) if latency else None
    check_sweep_folder(folder)
    backbones, failed = gather_backbones(names, precisions, progress=progress)
    if measure and device and backbones:
        _try_device(measure, backbones)
    make_sweep_folder(folder, list(backbones))

    reports = {
        preset: report
        for preset, needed in backbones.items()
        if (report := finished_run(folder / preset, needed, options=options, runtime=str(loaded))) is not None
    }
    if reports:
        digest, labels = source.read(strict=strict, progress=progress).digest, source.folder.labels
        reports = {
            preset: report
            for preset, report in reports.items()
            if (report.photos.digest, report.photos.labels) == (digest, labels)
        }
    photos_used = next((report.photos for report in reports.values()), None)
    unfinished = {preset: needed for preset, needed in backbones.items() if preset not in reports}
    if unfinished or photos_used is None:
        extractor = Extractor(options.fit, Path(cache) if cache else cache_folder(), loaded, workers, progress)
        with pixel_store(folder) as store:
            columns = [backbone for needed in unfinished.values() for backbone in needed]
            scan = scan_photos(source, columns, extractor, options, store=store, strict=strict, tolerant=True)
            photos_used = photo_record(scan.dataset, scan.digest)
            trainer = PresetTrainer(folder, precisions, scan, options, replace(extractor, progress=silent), store)
            for preset, outcome in trainer.train_all(unfinished, progress).items():
                failed += outcome.failed
                if outcome.report is not None:
                    reports[preset] = outcome.report
    candidates: list[Candidate] = []
    for preset, needed in backbones.items():
        made = {model.precision for model in reports[preset].models} if preset in reports else set()
        candidates += [
            make_candidate(reports[preset], backbone, folder / preset)
            for backbone in needed
            if backbone.precision in made
        ]
    timing: SweepLatency | None = None
    if measure and candidates:
        conditions = LatencyConditions(
            where=device or "this machine", node=device or platform.node(), threads=threads, runtime=runtime
        )
        measured = _measured(folder, candidates, measure, conditions, remeasure)
        timing = SweepLatency(where=conditions.where, environment=measured.environment, warnings=measured.warnings)
        candidates = [
            with_latency(candidate, result) for candidate, result in zip(candidates, measured.results, strict=True)
        ]
        failed += [
            SweepFailure(
                preset=candidate.preset,
                precision=candidate.precision,
                stage="latency",
                reason=candidate.latency_error,
            )
            for candidate in candidates
            if candidate.latency_error is not None
        ]
    order = {preset: position for position, preset in enumerate(names)}
    failed.sort(key=lambda failure: (order[failure.preset], failure.stage, failure.precision or ""))
    candidates = with_fronts([replace(candidate, misses=budget.misses(candidate)) for candidate in candidates])
    chosen = pick(candidates)
    result = Sweep(
        edgeretrain=__version__,
        runtime=str(loaded),
        photos=_photos(photos_used),
        options=options,
        budget=SweepBudget(
            max_size=budget.max_size,
            max_latency=budget.max_latency,
            min_accuracy=budget.min_accuracy,
            device=device,
            threads=threads,
        ),
        latency=timing,
        candidates=tuple(candidates),
        failed=tuple(failed),
        pick=chosen,
        nearest=None if chosen else nearest_miss(candidates, budget),
    )
    with listed_files(folder, [*PICTURE_FILES, PAGE_FILE, RESULT_FILE]):
        _write(folder, result)
    return result


def _photos(photos: PhotoRecord) -> SweepPhotos:
    return SweepPhotos(
        labels=photos.labels,
        digest=photos.digest,
        training=sum(photos.training.values()),
        validation=sum(photos.validation.values()),
        testing=sum(photos.testing.values()),
    )


def _measurement(device: str | None, threads: int, runtime: str | None, progress: Progress) -> Measure:
    """The benchmark, here or on the device. Without end-to-end times: decoding a photo costs all models the same."""
    if device is None:
        from edgeretrain.benchmark import benchmark

        return partial(benchmark, threads=[threads], runtime=runtime, end_to_end=False, progress=progress)
    from edgeretrain.remote import benchmark_on

    return partial(benchmark_on, device, threads=[threads], runtime=runtime, end_to_end=False, progress=progress)


def _try_device(measure: Measure, backbones: dict[str, list[Backbone]]) -> None:
    """Let the device measure the smallest backbone once: what it lacks should be known before hours of retraining."""
    every = [backbone.path for needed in backbones.values() for backbone in needed]
    measure([min(every, key=lambda path: path.stat().st_size)], runs=1, seconds=0.0)


def _measured(
    folder: Path, candidates: Sequence[Candidate], measure: Measure, conditions: LatencyConditions, remeasure: bool
) -> Benchmark:
    """All candidates measured together, or an earlier measurement of the same files under the same conditions."""
    earlier = None if remeasure else _earlier(folder, [candidate.sha256 for candidate in candidates], conditions)
    if earlier is not None:
        return earlier
    measured = measure([folder / candidate.file for candidate in candidates])
    with listed_files(folder, [LATENCY_FILE]):
        write_atomic(folder / LATENCY_FILE, json_text(SavedLatency(conditions=conditions, measured=measured)))
    return measured


def _earlier(folder: Path, digests: Sequence[str], conditions: LatencyConditions) -> Benchmark | None:
    """An earlier measurement of these files under these conditions, its results in the files' order; None without."""
    saved = read_record(SavedLatency, folder / LATENCY_FILE)
    if saved is None or saved.conditions != conditions:
        return None
    known: dict[str, BenchmarkResult] = {result.sha256: result for result in saved.measured.measured}
    if not known.keys() >= set(digests):
        return None
    return replace(saved.measured, results=tuple(known[digest] for digest in digests))


def _write(folder: Path, result: Sweep) -> None:
    from edgeretrain.report.pareto_svg import write_pareto_svg
    from edgeretrain.report.sweep_page import render_sweep_page

    pictures = write_pareto_svg(result, folder)
    for name in PICTURE_FILES:  # one of an earlier sweep shows other figures
        if folder / name not in pictures:
            (folder / name).unlink(missing_ok=True)
    write_atomic(folder / PAGE_FILE, render_sweep_page(result))
    write_atomic(folder / RESULT_FILE, json_text(result))
