"""What runs in the process of one model, started by `WorkerProcess`.

Reads one JSON command a line from standard input and answers each with one JSON line on standard output:

    {"do": "load", "model": ..., "threads": 1, "runtime": ..., "xnnpack": true,
     "warmup_seconds": 0.5}
        -> `LoadedModel`
    {"do": "infer", "runs": 5, "seconds": 0.1, "limit": 15}      -> {"nanoseconds": [...]}
    {"do": "classify", "photos": [...], "runs": ..., ...}        -> {"nanoseconds": [...]}

A failure is answered with {"error": reason} and ends the process, as does the end of standard input. What the runtime
itself prints goes to standard error.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.benchmark.clock import measure, no_garbage_collection
from edgeretrain.benchmark.memory import forget_peak, peak_bytes, resident_bytes
from edgeretrain.benchmark.model_under_test import ModelUnderTest, first_line
from edgeretrain.benchmark.statistics import milliseconds
from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import Warmup
from edgeretrain.records.json_form import Json, to_json
from edgeretrain.tflite.runtime import load_runtime

_REWARM_RUNS, _REWARM_SECONDS = 1, 0.01
"""Before every slice: another process ran in between and left its own data in the caches."""


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to be measured: `takes_photos` as in `ModelUnderTest`, the others as in `Measurement`."""

    runtime: str
    initialization_ms: float
    first_inference_ms: float
    warmup: Warmup
    delegate: str | None
    peak_memory_bytes: int | None
    takes_photos: bool
    end_to_end_note: str | None


class Worker:
    """Answers the commands."""

    def __init__(self) -> None:
        self._model: ModelUnderTest
        self._classify: Callable[[], str] | None = None

    def answer(self, command: dict[str, Any]) -> dict[str, Json]:
        does: dict[str, Callable[..., dict[str, Json]]] = {
            "load": self._load,
            "infer": self._infer,
            "classify": self._classify_photos,
        }
        return does[command.pop("do")](**command)

    def _load(self, model: str, threads: int, runtime: str, xnnpack: bool, warmup_seconds: float) -> dict[str, Json]:
        loaded = load_runtime(runtime)
        forget_peak()
        before, peak_before = resident_bytes(), peak_bytes()
        with no_garbage_collection():
            start = time.perf_counter_ns()
            tested = ModelUnderTest(Path(model), threads=threads, runtime=loaded, xnnpack=xnnpack)
            initialized = time.perf_counter_ns()
            tested.prepare(Path(model))
            first = measure(tested.invoke, runs=1, seconds=0)
            warmup = measure(tested.invoke, runs=1, seconds=warmup_seconds)
        peak = _peak(peak_before)
        self._model = tested
        return to_json(
            LoadedModel(
                runtime=str(loaded),
                initialization_ms=milliseconds((initialized - start) / 1e6),
                first_inference_ms=milliseconds(first[0] / 1e6),
                warmup=Warmup(runs=len(warmup), mean_ms=milliseconds(np.mean(warmup) / 1e6)),
                delegate=tested.delegate,
                peak_memory_bytes=None if before is None or peak is None else max(0, peak - before),
                takes_photos=tested.takes_photos,
                end_to_end_note=tested.end_to_end_note,
            )
        )

    def _infer(self, runs: int, seconds: float, limit: float) -> dict[str, Json]:
        return self._measured(self._model.invoke, runs, seconds, limit)

    def _classify_photos(self, photos: list[str], runs: int, seconds: float, limit: float) -> dict[str, Json]:
        if self._classify is None:
            self._classify = self._model.photo_runner([Path(photo) for photo in photos])
        return self._measured(self._classify, runs, seconds, limit)

    def _measured(self, work: Callable[[], object], runs: int, seconds: float, limit: float) -> dict[str, Json]:
        with no_garbage_collection():
            measure(work, runs=_REWARM_RUNS, seconds=_REWARM_SECONDS)
            return {"nanoseconds": measure(work, runs=runs, seconds=seconds, limit=limit).tolist()}


def _peak(before: int | None) -> int | None:
    """The peak since loading began; the present size, where the kernel did not forget a larger one from before."""
    peak = peak_bytes()
    return resident_bytes() if peak is not None and before is not None and peak <= before else peak


def main() -> None:
    """Answer commands until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    worker = Worker()
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except EdgeretrainError as error:
            answer = {"error": str(error)}
        except (ValueError, RuntimeError, SystemError, MemoryError, OSError) as error:
            answer = {"error": f"inference fails ({first_line(error)})"}
        print(json.dumps(answer), file=answers, flush=True)
        if "error" in answer:
            break
