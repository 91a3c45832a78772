"""Measure models on this machine: size, latency, memory. docs/measuring.md says how and why so."""

from edgeretrain.benchmark.compare import FACTOR, compare
from edgeretrain.benchmark.results import PROTOCOL, as_csv, read_results
from edgeretrain.benchmark.run import RUNS, SECONDS, benchmark

__all__ = ["FACTOR", "PROTOCOL", "RUNS", "SECONDS", "as_csv", "benchmark", "compare", "read_results"]
