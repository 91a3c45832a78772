"""Results as `benchmark` returns them, without a measurement."""

from typing import Any


def result(
    model: str = "run/model.int8.tflite", threads: int = 1, *, median: float = 10.0, **changed: Any
) -> dict[str, Any]:
    figures = {"runs": 50, "median": median, "mean": median, "standard_deviation": 0.5, "min": median - 1}
    figures |= {"max": median + 9, "p90": median + 1, "p95": median + 2, "p99": median + 5}
    good = {
        "sha256": "0" * 64,
        "bytes": 2_700_000,
        "weight_bytes": 2_200_000,
        "compressed_bytes": 2_100_000,
        "runtime": "ai_edge_litert 2.3.0",
        "delegate": "XNNPACK",
        "initialization_ms": 20.0,
        "first_inference_ms": 15.0,
        "warmup": {"runs": 40, "mean_ms": 12.0},
        "inference_ms": figures,
        "throughput_per_second": 1000 / median,
        "end_to_end_ms": {**figures, "median": 2 * median},
        "end_to_end_note": None,
        "peak_memory_bytes": 12_000_000,
        "warnings": [],
    }
    return {"model": model, "threads": threads, **good, **changed}


def failure(model: str = "run/model.int8.tflite", threads: int = 1, error: str = "it crashed") -> dict[str, Any]:
    return {"model": model, "threads": threads, "error": error}


def results(*each: dict[str, Any], **environment: Any) -> dict[str, Any]:
    machine = {"machine": "Raspberry Pi 4", "architecture": "aarch64", "cores": 4, "runtime": "ai_edge_litert 2.3.0"}
    machine["date"] = "2026-11-21T20:00:00Z"
    return {
        "edgeretrain": "0.1.0",
        "protocol": 1,
        "environment": {**machine, **environment},
        "warnings": [],
        "results": list(each) or [result()],
    }
