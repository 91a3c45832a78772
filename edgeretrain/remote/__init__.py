"""`edgeretrain benchmark` on a device: models there through ssh, figures back."""

from edgeretrain.remote.benchmark import benchmark_on

__all__ = ["benchmark_on"]
