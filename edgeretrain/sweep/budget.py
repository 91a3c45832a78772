"""The limits on size, latency and accuracy, and how far a candidate is from them."""

from dataclasses import dataclass

from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.sweep import Candidate, Miss


@dataclass(frozen=True)
class Budget:
    """The limits that a candidate has to meet; None: no limit.

    Attributes:
        max_size: of the model file, bytes.
        max_latency: of the median inference, milliseconds.
        min_accuracy: top-1 on the test photos, 0 to 1.

    Raises:
        EdgeretrainError: a limit that no model or every model meets.
    """

    max_size: int | None = None
    max_latency: float | None = None
    min_accuracy: float | None = None

    def __post_init__(self) -> None:
        if self.max_size is not None and self.max_size <= 0:
            raise EdgeretrainError("--max-size must be at least 1 byte.")
        if self.max_latency is not None and not 0 < self.max_latency < float("inf"):
            raise EdgeretrainError(f"--max-latency must be above 0 ms and finite, not {self.max_latency:g} ms.")
        if self.min_accuracy is not None and not 0 < self.min_accuracy <= 1:
            raise EdgeretrainError(
                f"--min-accuracy must be above 0 and at most 1 (100%), not {self.min_accuracy:g} "
                f"({100 * self.min_accuracy:g}%)."
            )

    def misses(self, candidate: Candidate) -> tuple[Miss, ...]:
        """The limits that a candidate does not meet."""
        missed = []
        if self.max_size is not None and candidate.bytes > self.max_size:
            missed.append(Miss(budget="max_size", by=candidate.bytes / self.max_size))
        if self.max_latency is not None:
            latency = candidate.latency_ms
            if latency is None:
                missed.append(Miss(budget="max_latency", by=None))
            elif latency > self.max_latency:
                missed.append(Miss(budget="max_latency", by=latency / self.max_latency))
        if self.min_accuracy is not None and candidate.top1 < self.min_accuracy:
            missed.append(Miss(budget="min_accuracy", by=self.min_accuracy - candidate.top1))
        return tuple(missed)

    def relative_miss(self, candidate: Candidate) -> tuple[int, float]:
        """How far a candidate is from the budget, for ordering: limits missed, then the sum of their excesses."""
        excess = 0.0
        for miss in candidate.misses:
            if miss.by is None:
                excess += float("inf")
            elif miss.budget == "min_accuracy":
                assert self.min_accuracy is not None
                excess += miss.by / self.min_accuracy
            else:
                excess += miss.by - 1
        return len(candidate.misses), excess
