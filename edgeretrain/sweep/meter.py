"""How far a sweep is, in percent of the work: the dearest preset takes forty times as long as the cheapest."""

from collections.abc import Sequence

from edgeretrain.backbone.presets import BUILDABLE, DEFAULT_PRESET
from edgeretrain.progress import Progress

# What decoding a photo and fitting the head cost besides the inference, in millions of MACs of inference.
# Measured on 1,000 flower_photos: 1.8 s a precision for mobilenet_v1_025_128 (14 M), 12 s for mobilenet_v2_100_224.
_FIXED_COST = 40.0

_STEP = "Percent of the sweep"


class Meter:
    """Turns the progress of single retrains into that of the sweep."""

    def __init__(self, progress: Progress, work: dict[str, int]) -> None:
        """
        Args:
            work: precisions to retrain, by preset; of an own backbone nothing is known, it counts as the default one.
        """
        self._progress = progress
        self._weights = {name: count * (_macs(name) + _FIXED_COST) for name, count in work.items()}
        self._total = sum(self._weights.values())
        self._done = 0.0
        self._last = -1

    def within(self, preset: str, precisions: Sequence[str]) -> Progress:
        """The progress of one preset's retrain. Its time goes into the bottlenecks, so they alone count."""
        finished: dict[str, float] = {}

        def progress(step: str, done: int, total: int) -> None:
            if step.startswith("Bottlenecks ") and total:
                finished[step] = done / total
                self._tell(self._done + self._weights[preset] * min(1.0, sum(finished.values()) / len(precisions)))

        return progress

    def finish(self, preset: str) -> None:
        """The preset is done, well or not."""
        self._done += self._weights[preset]
        self._tell(self._done)

    def _tell(self, done: float) -> None:
        percent = int(100 * done / self._total + 1e-9)
        if percent > self._last:
            self._last = percent
            self._progress(_STEP, percent, 100)


def _macs(name: str) -> float:
    return BUILDABLE.get(name, BUILDABLE[DEFAULT_PRESET]).macs
