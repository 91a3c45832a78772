"""benchmark(): models x thread counts, each in a process of its own, measured in turns. docs/measuring.md explains."""

import contextlib
import datetime
import os
import platform
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import PIL

from edgeretrain.benchmark.claims import machine_warnings, result_warnings
from edgeretrain.benchmark.environment import Machine
from edgeretrain.benchmark.photos import HEIGHT, WIDTH, find_given, made_up_jpeg
from edgeretrain.benchmark.process import WorkerFailed, WorkerProcess
from edgeretrain.benchmark.results import PROTOCOL
from edgeretrain.benchmark.sizes import model_sizes
from edgeretrain.benchmark.statistics import summarise
from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Runtime, load_runtime
from edgeretrain.version import __version__

RUNS, SECONDS = 50, 1.0
"""As LiteRT's benchmark_model: whichever takes longer."""

MAX_SECONDS = 150.0
"""As benchmark_model: after so many seconds a slow model has fewer runs than asked."""

WARMUP_SECONDS = 0.5
"""As benchmark_model; at least one run."""

SLICES = 10
"""Turns that each worker gets."""

_BUSY_SECONDS = 0.5
_MEMORY_SHARE = 0.5  # of what is available, for all workers that live at once
_PROCESS_BYTES = {"tensorflow": 600 << 20}  # Python with this runtime
_OTHER_PROCESS_BYTES = 100 << 20
_MODEL_COPIES = 8  # a model's memory as a multiple of its file: weights unpacked and repacked, activations


@dataclass
class _Job:
    """One model at one thread count, and what has been found out about it."""

    model: Path
    threads: int
    sizes: dict[str, Any]
    worker: WorkerProcess | None = None
    loaded: dict[str, Any] = field(default_factory=dict)
    inference: "array[int]" = field(default_factory=lambda: array("q"))
    end_to_end: "array[int]" = field(default_factory=lambda: array("q"))
    error: str | None = None


def benchmark(
    models: Sequence[Path],
    *,
    threads: Sequence[int] = (1,),
    runs: int = RUNS,
    seconds: float = SECONDS,
    photos: Sequence[Path] = (),
    runtime: str | None = None,
    xnnpack: bool = True,
    end_to_end: bool = True,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Measure size, latency and memory of TFLite models on this machine.

    Each model runs in a process of its own per thread count; they measure in turns, one at a time, so that a drift of
    the machine meets all of them. A model that cannot be measured becomes a result with an error; the others go on.

    Args:
        threads: each of these thread counts for each model.
        runs: inferences at least, and as many photos end to end; of each at least `seconds` as well, but at most
            MAX_SECONDS.
        photos: files or folders for the end-to-end time; default a JPEG that is made up (`made_up_jpeg`).
        runtime: `ai_edge_litert`, `tflite_runtime` or `tensorflow`; default the first one installed.
        xnnpack: let the runtime use its XNNPACK delegate, as it does by default.
        end_to_end: also measure from a photo's bytes to its label.

    Returns:
        plain JSON. `edgeretrain`: version; `protocol`: PROTOCOL; `environment`: see `Machine.describe`, and date (UTC),
        runtime, python, pillow, busy_before (share of all CPU time in the half second before), busy_by_others and
        stolen (shares while measuring), before and after (see `Machine.state`), photos (what the end-to-end times were
        measured on), groups (measured one after the other; 1 unless memory is short); `warnings`: what weakens all
        figures; `results`: for each model in the order given, for each thread count in the order given:

        model (path as given), threads, and either error, or: sha256; bytes, weight_bytes, compressed_bytes
        (`model_sizes`); runtime; delegate (XNNPACK, none, or None if not known); initialization_ms: construct and
        allocate; first_inference_ms; warmup: runs and mean_ms; inference_ms: `summarise` of the interpreter's invoke
        alone; throughput_per_second: 1000 / its mean; end_to_end_ms: likewise from a JPEG's bytes in memory to its
        label, None where left out; end_to_end_note: why, or what it lacks; peak_memory_bytes: resident memory at its
        highest from before loading to after the warm-up, less what the process held before, None if not known;
        warnings: what is doubtful about this result.

    Raises:
        EdgeretrainError: a count below 1, a file that is missing or no TFLite model, a photo that cannot be read, or
            no such runtime.
    """
    _check_counts(models, threads, runs, seconds)
    jobs = _jobs(models, threads)
    chosen = load_runtime(runtime)
    given = find_given(photos) if end_to_end else []
    machine = Machine()
    environment = {
        **machine.describe(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "runtime": str(chosen),
        "python": platform.python_version(),
        "pillow": PIL.__version__,
    }
    groups = _groups(jobs, chosen, machine)
    with _photo_files(given, wanted=end_to_end) as files:
        environment |= {"photos": _photos_told(given, files), "groups": len(groups)}
        with _watched(machine, environment):
            for group in groups:
                _measure_group(group, chosen, xnnpack, runs, seconds, files, progress)
    return {
        "edgeretrain": __version__,
        "protocol": PROTOCOL,
        "environment": environment,
        "warnings": machine_warnings(environment),
        "results": [_result(job, environment["cores"], runs) for job in jobs],
    }


def _check_counts(models: Sequence[Path], threads: Sequence[int], runs: int, seconds: float) -> None:
    if not models:
        raise EdgeretrainError("There is no model to measure. Give one or more .tflite files.")
    if not threads or min(threads) < 1:
        raise EdgeretrainError(f"threads must be at least 1, not {min(threads, default=0)}.")
    if runs < 1:
        raise EdgeretrainError(f"{runs} runs measure nothing. Use 1 or more.")
    if not 0 <= seconds < float("inf"):
        raise EdgeretrainError(f"{seconds:g} seconds cannot be measured. Use 0 or more.")


def _jobs(models: Sequence[Path], threads: Sequence[int]) -> list[_Job]:
    sizes = {model: model_sizes(model) for model in models}
    return [_Job(model, count, sizes[model]) for model in models for count in threads]


def _groups(jobs: Sequence[_Job], runtime: Runtime, machine: Machine) -> list[Sequence[_Job]]:
    """As many jobs at once as half of the available memory holds; the groups are of about equal size."""
    available = machine.memory("MemAvailable:")
    if available is None:
        return [jobs]
    process = _PROCESS_BYTES.get(runtime.name, _OTHER_PROCESS_BYTES)
    largest = process + _MODEL_COPIES * max(job.sizes["bytes"] for job in jobs)
    most = max(1, int(available * _MEMORY_SHARE / largest))
    count = -(-len(jobs) // most)
    return [jobs[len(jobs) * i // count : len(jobs) * (i + 1) // count] for i in range(count)]


@contextlib.contextmanager
def _photo_files(given: Sequence[Path], *, wanted: bool) -> Iterator[list[Path]]:
    """The photos as files that the workers can read: those given, or one made up, or none where none are wanted."""
    if given or not wanted:
        yield list(given)
        return
    with tempfile.TemporaryDirectory(prefix="edgeretrain-") as folder:
        photo = Path(folder) / "photo.jpg"
        photo.write_bytes(made_up_jpeg())
        yield [photo]


def _photos_told(given: Sequence[Path], files: Sequence[Path]) -> str | None:
    if not files:
        return None
    size = sum(file.stat().st_size for file in files) // len(files)
    if given:
        return f"{len(files)} given, {size:,} bytes on average"
    return f"one made up, {WIDTH} x {HEIGHT} JPEG, {size:,} bytes"


@contextlib.contextmanager
def _watched(machine: Machine, environment: dict[str, Any]) -> Iterator[None]:
    """Add to the environment the machine's state before and after the block, and what others did meanwhile."""
    environment |= {"busy_before": None, "busy_by_others": None, "stolen": None, "before": machine.state()}
    idle = machine.ticks()
    if idle is not None:
        time.sleep(_BUSY_SECONDS)
    start, own = machine.ticks(), _own_seconds()
    if idle is not None and start is not None:
        environment["busy_before"] = _share(start.busy - idle.busy, start.total - idle.total)
    yield
    end = machine.ticks()
    if start is not None and end is not None:
        others = end.busy - start.busy - (_own_seconds() - own)
        environment["busy_by_others"] = _share(others, end.total - start.total)
        environment["stolen"] = _share(end.stolen - start.stolen, end.total - start.total)
    environment["after"] = machine.state()


def _own_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _share(part: float, whole: float) -> float:
    return round(max(0.0, part) / whole, 4) if whole > 0 else 0.0


def _measure_group(
    jobs: Sequence[_Job],
    runtime: Runtime,
    xnnpack: bool,
    runs: int,
    seconds: float,
    photos: Sequence[Path],
    progress: Progress,
) -> None:
    """Start a worker for each job, let them measure in turns, end them."""
    slices = min(SLICES, runs)
    part = {"runs": -(-runs // slices), "seconds": seconds / slices, "limit": MAX_SECONDS / slices}
    try:
        for done, job in enumerate(jobs):
            progress("Loading models", done, len(jobs))
            with _failure_noted(job):
                job.worker = WorkerProcess()
                command = {"model": str(job.model), "threads": job.threads, "runtime": runtime.name, "xnnpack": xnnpack}
                command["warmup_seconds"] = WARMUP_SECONDS
                job.loaded = job.worker.ask("load", "while loading or at the first inferences", **command)
        progress("Loading models", len(jobs), len(jobs))
        for turn in range(slices):
            for done, job in enumerate(_order(jobs, turn)):
                progress("Measuring", turn * len(jobs) + done, slices * len(jobs))
                if job.worker is None or job.error is not None:
                    continue
                with _failure_noted(job):
                    answer = job.worker.ask("infer", "at inference", **part)
                    job.inference.extend(answer["nanoseconds"])
                    if photos and job.loaded["takes_photos"]:
                        files = [str(photo) for photo in photos]
                        answer = job.worker.ask("classify", "at a photo", photos=files, **part)
                        job.end_to_end.extend(answer["nanoseconds"])
        progress("Measuring", slices * len(jobs), slices * len(jobs))
    finally:
        for job in jobs:
            if job.worker is not None:
                job.worker.close()


def _order(jobs: Sequence[_Job], turn: int) -> list[_Job]:
    """The order of a round: begun one further each time and backwards every other time, so that none has a place."""
    start = turn % len(jobs)
    order = [*jobs[start:], *jobs[:start]]
    return order[::-1] if turn % 2 else order


@contextlib.contextmanager
def _failure_noted(job: _Job) -> Iterator[None]:
    """A worker that fails ends at once and leaves its reason; the others go on."""
    try:
        yield
    except (WorkerFailed, OSError) as failure:
        job.error = (
            f"its process cannot be started ({failure.strerror})" if isinstance(failure, OSError) else str(failure)
        )
        if job.worker is not None:
            job.worker.close()


def _result(job: _Job, cores: int, runs: int) -> dict[str, Any]:
    if job.error is not None:
        return {"model": str(job.model), "threads": job.threads, "error": job.error}
    inference = summarise(job.inference)
    result = {
        "model": str(job.model),
        **job.sizes,
        "threads": job.threads,
        "runtime": job.loaded["runtime"],
        "delegate": job.loaded["delegate"],
        "initialization_ms": job.loaded["initialization_ms"],
        "first_inference_ms": job.loaded["first_inference_ms"],
        "warmup": job.loaded["warmup"],
        "inference_ms": inference,
        "throughput_per_second": round(1000 / inference["mean"], 2) if inference["mean"] else None,
        "end_to_end_ms": summarise(job.end_to_end) if job.end_to_end else None,
        "end_to_end_note": job.loaded["end_to_end_note"],
        "peak_memory_bytes": job.loaded["peak_memory_bytes"],
        "warnings": [],
    }
    result["warnings"] = result_warnings(result, cores=cores, asked=runs)
    return result
