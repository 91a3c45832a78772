"""Measure models on this machine: size, latency, memory. docs/measuring.md says how and why so."""

from edgeretrain.benchmark.compare import compare
from edgeretrain.benchmark.results import as_csv, read_results
from edgeretrain.benchmark.run import benchmark

__all__ = ["as_csv", "benchmark", "compare", "read_results"]
