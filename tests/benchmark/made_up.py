"""Benchmarks without a measurement."""

from dataclasses import replace
from typing import Any

from edgeretrain.records.benchmark import (
    PROTOCOL,
    Benchmark,
    BenchmarkFailure,
    BenchmarkResult,
    Environment,
    MachineState,
    Statistics,
    Warmup,
)


def times(median: float = 10.0, **changed: Any) -> Statistics:
    """Times with this median, in milliseconds, and a narrow spread."""
    steady = Statistics(
        runs=50,
        median=median,
        mean=median,
        standard_deviation=0.5,
        min=median - 1,
        max=median + 9,
        p90=median + 1,
        p95=median + 2,
        p99=median + 5,
    )
    return replace(steady, **changed)


def result(
    model: str = "run/model.int8.tflite", threads: int = 1, *, median: float = 10.0, **changed: Any
) -> BenchmarkResult:
    good = BenchmarkResult(
        model=model,
        sha256="0" * 64,
        bytes=2_700_000,
        weight_bytes=2_200_000,
        compressed_bytes=2_100_000,
        threads=threads,
        runtime="ai_edge_litert 2.3.0",
        delegate="XNNPACK",
        initialization_ms=20.0,
        first_inference_ms=15.0,
        warmup=Warmup(runs=40, mean_ms=12.0),
        inference_ms=times(median),
        throughput_per_second=1000 / median,
        end_to_end_ms=replace(times(median), median=2 * median),
        end_to_end_note=None,
        peak_memory_bytes=12_000_000,
        warnings=(),
    )
    return replace(good, **changed)


def failure(model: str = "run/model.int8.tflite", threads: int = 1, error: str = "it crashed") -> BenchmarkFailure:
    return BenchmarkFailure(model=model, threads=threads, error=error)


def state(**changed: Any) -> MachineState:
    """A machine that is cool and idle."""
    idle = MachineState(temperature_c=50.0, throttled="0x0", throttle_count=2, load_average=0.1)
    return replace(idle, **changed)


def environment(**changed: Any) -> Environment:
    """A machine without any fault."""
    good = Environment(
        machine="Raspberry Pi 4",
        board="Raspberry Pi 4",
        cpu="Cortex-A72",
        architecture="aarch64",
        cores=4,
        cores_present=4,
        os="Debian GNU/Linux 13 (trixie)",
        kernel="Linux 6.12",
        governors=("performance",),
        memory_bytes=4_000_000_000,
        emulation=None,
        date="2026-11-21T20:00:00Z",
        runtime="ai_edge_litert 2.3.0",
        python="3.13.5",
        pillow="12.0.0",
        photos=None,
        groups=1,
        busy_before=0.01,
        busy_by_others=0.01,
        stolen=0.0,
        before=state(),
        after=state(),
    )
    return replace(good, **changed)


def results(*each: BenchmarkResult | BenchmarkFailure, **changed: Any) -> Benchmark:
    """A benchmark with these results, or a single good one; `changed` is about its environment."""
    return Benchmark(
        edgeretrain="0.1.0",
        protocol=PROTOCOL,
        environment=environment(**changed),
        warnings=(),
        results=each or (result(),),
    )
