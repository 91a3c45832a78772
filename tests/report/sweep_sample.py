"""A sweep as `edgeretrain sweep` writes it, with made-up but plausible figures."""

import math
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
from benchmark.made_up import result, results, times

from edgeretrain.backbone.presets import PRESETS
from edgeretrain.evaluation.figures import WeakestClass
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS
from edgeretrain.records.benchmark import Measurement
from edgeretrain.records.json_form import to_json
from edgeretrain.records.sweep import (
    Candidate,
    Front,
    HeldOut,
    Sweep,
    SweepBudget,
    SweepFailure,
    SweepLatency,
    SweepPhotos,
)
from edgeretrain.sweep.budget import Budget
from edgeretrain.sweep.choose import nearest_miss, pick, with_fronts

PHOTOS = 91
USUAL = tuple(name for name in PRESETS if name != "inception_v3")
WEIGHTS = {"float32": 4.0, "float16": 2.0, "dynamic": 1.02, "int8": 1.02}
SPEED = {"float32": 1.0, "float16": 1.02, "dynamic": 0.75, "int8": 0.45}


def make_sweep(
    presets: Sequence[str] = USUAL,
    precisions: Sequence[str] = PRECISIONS,
    *,
    latency: bool = True,
    labels: Sequence[str] = ("daisy", "dandelion", "roses", "sunflowers", "tulips"),
    budget: Budget | None = None,
    failed: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    budget = budget or Budget()
    gone = {(failure["preset"], failure["precision"]) for failure in failed if failure["stage"] != "latency"}
    silent = {
        (failure["preset"], failure["precision"]): failure["reason"]
        for failure in failed
        if failure["stage"] == "latency"
    }
    candidates: list[Candidate] = []
    for name in presets:
        preset = PRESETS[name]
        for precision in precisions:
            if {(name, None), (name, precision)} & gone:
                continue
            random = np.random.default_rng([list(PRESETS).index(name), PRECISIONS.index(precision)])
            share = 0.55 + 0.0045 * preset.top1 + random.normal(0, 0.01) - 0.01 * (precision == "int8")
            right = min(PHOTOS, round(share * PHOTOS))
            parameters = int(preset.parameters * 1e6) - preset.bottleneck * 1001
            size = int(parameters * WEIGHTS[precision]) + 60_000
            median = 0.2 + preset.macs * 0.016 * SPEED[precision] * math.exp(random.normal(0, 0.05))
            error = silent.get((name, precision))
            timed = latency and error is None
            candidates.append(
                Candidate(
                    preset=name,
                    architecture=preset.architecture,
                    alpha=preset.alpha,
                    resolution=preset.resolution,
                    precision=precision,
                    file=f"{name}/model.{precision}.tflite",
                    report=f"{name}/report.html",
                    sha256="0" * 64,
                    bytes=size,
                    compressed_bytes=int(size * 0.9) if timed else None,
                    macs=int(preset.macs * 1e6) + 123_456,
                    parameters=parameters,
                    top1=right / PHOTOS,
                    interval=wilson(right / PHOTOS, PHOTOS),
                    top3=min(1.0, right / PHOTOS + 0.09),
                    log_loss=0.4,
                    test_photos=PHOTOS,
                    held_out=HeldOut(top1=right / PHOTOS, photos=2 * PHOTOS),
                    agreement_with_float32=None if precision == "float32" else 0.978,
                    weakest=WeakestClass(label=labels[int(random.integers(len(labels)))], recall=0.75),
                    latency_ms=round(median, 4) if timed else None,
                    latency=measurement(median, size) if timed else None,
                    latency_error=error if latency else None,
                    misses=(),
                    front=Front(size=False, latency=False),
                )
            )
    candidates = with_fronts([replace(candidate, misses=budget.misses(candidate)) for candidate in candidates])
    picked = pick(candidates)
    sweep = Sweep(
        edgeretrain="0.1.0",
        runtime="ai_edge_litert 2.3.0",
        photos=SweepPhotos(labels=tuple(labels), digest="ef" * 32, training=816, validation=93, testing=PHOTOS),
        options=Options(),
        budget=SweepBudget(**vars(budget), device="ssh://pi@garden" if latency else None, threads=1),
        latency=SweepLatency(
            where="ssh://pi@garden",
            environment=replace(results().environment, board="Raspberry Pi 4 Model B Rev 1.4", governors=("ondemand",)),
            warnings=("The CPU governor is ondemand, not performance: the clock may have been below its highest.",),
        )
        if latency
        else None,
        candidates=tuple(candidates),
        failed=tuple(SweepFailure(**failure) for failure in failed),
        pick=picked,
        nearest=None if picked else nearest_miss(candidates, budget),
    )
    return to_json(sweep)


def measurement(median: float, size: int) -> Measurement:
    """The figures of a model of this median [ms] and size [bytes]."""
    figures = replace(
        result(bytes=size, peak_memory_bytes=size + 9_000_000),
        inference_ms=times(median, p90=median * 1.06, p99=median * 1.2),
    )
    return Measurement(**{figure.name: getattr(figures, figure.name) for figure in fields(Measurement)})
