"""sweep(): every selected preset and precision retrained, proven and timed, then the pick under a budget."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

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
from edgeretrain.records.benchmark import Benchmark
from edgeretrain.records.json_form import to_json
from edgeretrain.sweep.backbones import SMALL, Failure, gather_backbones, select_presets
from edgeretrain.sweep.budget import Budget, Candidate
from edgeretrain.sweep.candidates import add_latency, make_candidate
from edgeretrain.sweep.choose import mark_front, nearest_miss, pick
from edgeretrain.sweep.folder import (
    LATENCY_FILE,
    PAGE_FILE,
    PICTURE_FILES,
    RESULT_FILE,
    check_sweep_folder,
    finished_run,
    make_sweep_folder,
    read_json,
)
from edgeretrain.sweep.retraining import PresetTrainer
from edgeretrain.tflite.runtime import load_runtime
from edgeretrain.threads import check_threads
from edgeretrain.training.retrain import check_sets, scan_photos
from edgeretrain.training.run import photo_record
from edgeretrain.version import __version__

Measure = Callable[..., dict[str, Any]]


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
) -> dict[str, Any]:
    """Retrain, prove and time every selected preset at every precision, and pick one under a budget.

    Writes a run folder for each preset, without its bottlenecks, into the folder `out`, and beside them `sweep.json`
    (what is returned), `report.html` and `pareto.svg`. A run folder that is already
    there and would come out the same is taken as it is: a sweep that was stopped goes on where it was. What fails is
    told under `failed`; everything else is done all the same.

    Args:
        presets: names, or patterns such as `mobilenet_v2_*`; own backbones' too. Default: all MobileNets and NASNet.
        latency: measure the models; see docs/measuring.md.
        device: `ssh://user@host`, where the models are measured in place of this machine.
        threads: of the interpreter when it is measured.
        remeasure: measure again what was measured in an earlier run.
        options, layout, validation, test, strict, cache, runtime, workers: as of `retrain`.

    Returns:
        the sweep, plain JSON: edgeretrain, runtime, photos, options, budget, latency (environment and warnings of the
        measurement, None without one), candidates (one for each model, in the order of the table), failed, pick and
        nearest (preset, precision and reason; the one is None where nothing keeps the budget, the other where
        something does).

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
    make_sweep_folder(folder)

    reports = {
        preset: report
        for preset, needed in backbones.items()
        if (report := finished_run(folder / preset, needed, options=options, runtime=str(loaded))) is not None
    }
    if reports:
        digest, labels = source.read(strict=strict, progress=progress).digest, list(source.folder.labels)
        reports = {
            preset: report
            for preset, report in reports.items()
            if report["photos"]["digest"] == digest and report["photos"]["labels"] == labels
        }
    photo_counts = next((report["photos"] for report in reports.values()), None)
    unfinished = {preset: needed for preset, needed in backbones.items() if preset not in reports}
    if unfinished or photo_counts is None:
        extractor = Extractor(options.fit, Path(cache) if cache else cache_folder(), loaded, workers, progress)
        with pixel_store(folder) as store:
            columns = [backbone for needed in unfinished.values() for backbone in needed]
            scan = scan_photos(source, columns, extractor, options, store=store, strict=strict, tolerant=True)
            photo_counts = photo_record(scan.dataset, scan.digest)
            trainer = PresetTrainer(folder, precisions, scan, options, replace(extractor, progress=silent), store)
            for preset, outcome in trainer.train_all(unfinished, progress).items():
                failed += outcome.failed
                if outcome.report is not None:
                    reports[preset] = outcome.report
    candidates: list[Candidate] = []
    for preset, needed in backbones.items():
        had = {model["precision"] for model in reports[preset]["models"]} if preset in reports else set()
        candidates += [
            make_candidate(reports[preset], backbone, folder / preset)
            for backbone in needed
            if backbone.precision in had
        ]

    result: dict[str, Any] = {
        "edgeretrain": __version__,
        "runtime": str(loaded),
        "photos": {
            "labels": photo_counts["labels"],
            "digest": photo_counts["digest"],
            **{place: sum(photo_counts[place].values()) for place in ("training", "validation", "testing")},
        },
        "options": asdict(options),
        "budget": {**asdict(budget), "device": device, "threads": threads},
        "latency": None,
        "candidates": candidates,
        "failed": failed,
    }
    if measure and candidates:
        where = {"where": device or "this machine", "node": device or platform.node(), "threads": threads}
        result["latency"] = _time(folder, candidates, failed, measure, {**where, "runtime": runtime}, remeasure)
    order = {preset: position for position, preset in enumerate(names)}
    failed.sort(key=lambda one: (order[one["preset"]], one["stage"], one["precision"] or ""))
    for candidate in candidates:
        candidate["misses"] = budget.misses(candidate)
    mark_front(candidates)
    result["pick"] = pick(candidates)
    result["nearest"] = None if result["pick"] else nearest_miss(candidates, budget)
    _write(folder, result)
    return result


def _measurement(device: str | None, threads: int, runtime: str | None, progress: Progress) -> Measure:
    """The benchmark, here or on the device. Without end-to-end times: decoding a photo costs all models the same."""
    given: dict[str, Any] = {"threads": [threads], "runtime": runtime, "end_to_end": False, "progress": progress}
    measure: Callable[..., Benchmark]
    if device is None:
        from edgeretrain.benchmark import benchmark

        measure = partial(benchmark, **given)
    else:
        from edgeretrain.remote import benchmark_on

        measure = partial(benchmark_on, device, **given)
    return lambda models, **duration: to_json(measure(models, **duration))


def _try_device(measure: Measure, backbones: dict[str, list[Backbone]]) -> None:
    """Let the device measure the smallest backbone once: what it lacks should be told before hours of retraining."""
    every = [backbone.path for needed in backbones.values() for backbone in needed]
    measure([min(every, key=lambda path: path.stat().st_size)], runs=1, seconds=0.0)


def _time(
    folder: Path,
    candidates: Sequence[Candidate],
    failed: list[Failure],
    measure: Measure,
    conditions: dict[str, Any],
    remeasure: bool,
) -> dict[str, Any]:
    """Measure all candidates together, or take an earlier measurement of the same files under the same conditions."""
    digests = [candidate["sha256"] for candidate in candidates]
    measured = None if remeasure else _earlier(folder, digests, conditions)
    if measured is None:
        measured = measure([folder / candidate["file"] for candidate in candidates])
        saved = {"conditions": conditions, "measured": measured}
        write_atomic(folder / LATENCY_FILE, json.dumps(saved, indent=1, ensure_ascii=False) + "\n")
    for candidate, one in zip(candidates, measured["results"], strict=True):
        add_latency(candidate, one)
        if candidate["latency_error"]:
            named = {"preset": candidate["preset"], "precision": candidate["precision"]}
            failed.append({**named, "stage": "latency", "reason": candidate["latency_error"]})
    return {
        "where": conditions["where"],
        "environment": measured["environment"],
        "warnings": measured["warnings"],
    }


def _earlier(folder: Path, digests: Sequence[str], conditions: dict[str, Any]) -> dict[str, Any] | None:
    """An earlier measurement of these files under these conditions, its results in the files' order; None without."""
    saved = read_json(folder / LATENCY_FILE)
    try:
        if saved["conditions"] != conditions:
            return None
        known = {one["sha256"]: one for one in saved["measured"]["results"] if "error" not in one}
        return {**saved["measured"], "results": [known[digest] for digest in digests]}
    except (KeyError, TypeError):
        return None


def _write(folder: Path, result: dict[str, Any]) -> None:
    from edgeretrain.report.pareto_svg import write_pareto_svg
    from edgeretrain.report.sweep_page import render_sweep_page

    pictures = write_pareto_svg(result, folder)
    for name in PICTURE_FILES:  # one of an earlier sweep shows other figures
        if folder / name not in pictures:
            (folder / name).unlink(missing_ok=True)
    write_atomic(folder / PAGE_FILE, render_sweep_page(result))
    write_atomic(folder / RESULT_FILE, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
