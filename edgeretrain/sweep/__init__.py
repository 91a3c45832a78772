"""Which preset, at which precision, for this device: retrain them all, measure them, choose."""

from edgeretrain.sweep.budget import Budget
from edgeretrain.sweep.run import sweep

__all__ = ["Budget", "sweep"]
