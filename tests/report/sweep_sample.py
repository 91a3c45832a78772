"""A sweep as `edgeretrain sweep` writes it, with made-up but plausible figures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgeretrain.backbone.presets import PRESETS
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.precision import PRECISIONS
from edgeretrain.sweep.budget import Budget
from edgeretrain.sweep.choose import mark_front, nearest_miss, pick

Sweep = dict[str, Any]
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
) -> Sweep:
    budget = budget or Budget()
    gone = {(one["preset"], one["precision"]) for one in failed if one["stage"] != "latency"}
    silent = {(one["preset"], one["precision"]): one["reason"] for one in failed if one["stage"] == "latency"}
    candidates = []
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
                {
                    "preset": name,
                    "architecture": preset.architecture,
                    "alpha": preset.alpha,
                    "resolution": preset.resolution,
                    "precision": precision,
                    "file": f"{name}/model.{precision}.tflite",
                    "report": f"{name}/report.html",
                    "bytes": size,
                    "compressed_bytes": int(size * 0.9) if timed else None,
                    "macs": int(preset.macs * 1e6) + 123_456,
                    "parameters": parameters,
                    "top1": right / PHOTOS,
                    "interval": list(wilson(right / PHOTOS, PHOTOS)),
                    "top3": min(1.0, right / PHOTOS + 0.09),
                    "log_loss": 0.4,
                    "test_photos": PHOTOS,
                    "held_out": {"top1": right / PHOTOS, "photos": 2 * PHOTOS},
                    "agreement_with_float32": None if precision == "float32" else 0.978,
                    "weakest": {"label": labels[int(random.integers(len(labels)))], "recall": 0.75},
                    "latency_ms": round(median, 4) if timed else None,
                    "latency": {
                        "inference_ms": {"median": median, "p90": median * 1.06, "p99": median * 1.2},
                        "peak_memory_bytes": size + 9_000_000,
                        "threads": 1,
                    }
                    if timed
                    else None,
                    "latency_error": error if latency else None,
                }
            )
    for candidate in candidates:
        candidate["misses"] = budget.misses(candidate)
    mark_front(candidates)
    picked = pick(candidates)
    return {
        "edgeretrain": "0.1.0",
        "runtime": "ai_edge_litert 2.3.0",
        "photos": {"labels": list(labels), "training": 816, "validation": 93, "testing": PHOTOS},
        "options": {"fit": "squash", "seed": 0},
        "budget": {
            "max_size": budget.max_size,
            "max_latency": budget.max_latency,
            "min_accuracy": budget.min_accuracy,
            "device": "ssh://pi@garden" if latency else None,
            "threads": 1,
        },
        "latency": {
            "environment": {"board": "Raspberry Pi 4 Model B Rev 1.4", "cores": 4, "governors": ["ondemand"]},
            "warnings": ["The CPU governor is ondemand, not performance: the clock may have been below its highest."],
            "where": "ssh://pi@garden",
        }
        if latency
        else None,
        "candidates": candidates,
        "failed": list(failed),
        "pick": picked,
        "nearest": None if picked else nearest_miss(candidates, budget),
    }
