"""Candidates that nobody retrained."""

from dataclasses import replace
from typing import Any

from edgeretrain.records.sweep import Candidate, Front, HeldOut

_PLAIN = Candidate(
    preset="net",
    architecture="mobilenet_v2",
    alpha=1.0,
    resolution=224,
    precision="int8",
    file="net/model.int8.tflite",
    report="net/report.html",
    sha256="0" * 64,
    bytes=1_000_000,
    compressed_bytes=None,
    macs=300_000_000,
    parameters=2_000_000,
    top1=0.9,
    interval=(0.8, 0.95),
    top3=1.0,
    log_loss=0.4,
    test_photos=100,
    held_out=HeldOut(top1=0.9, photos=200),
    agreement_with_float32=None,
    weakest=None,
    latency_ms=10.0,
    latency=None,
    latency_error=None,
    misses=(),
    front=Front(size=True, latency=True),
)


def candidate(**changed: Any) -> Candidate:
    """A candidate on both fronts that misses no limit, with these attributes."""
    return replace(_PLAIN, **changed)
