"""What else a machine does while it measures: its state before and after, and the CPU time of other programs."""

import os
import time
from dataclasses import dataclass
from types import TracebackType

from edgeretrain.benchmark.environment import Machine
from edgeretrain.records.benchmark import MachineState

_BUSY_SECONDS = 0.5
"""How long the machine is watched before it measures."""


@dataclass(frozen=True)
class Activity:
    """See the fields of the same names in `Environment`."""

    busy_before: float | None
    busy_by_others: float | None
    stolen: float | None
    before: MachineState
    after: MachineState


class ActivityWatch:
    """A context that measures run in. `activity` is there when it has ended without an exception."""

    activity: Activity

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def __enter__(self) -> "ActivityWatch":
        self._before = self._machine.state()
        self._busy_before = None
        idle = self._machine.ticks()
        if idle is not None:
            time.sleep(_BUSY_SECONDS)
        self._start, self._own_seconds = self._machine.ticks(), _own_seconds()
        if idle is not None and self._start is not None:
            self._busy_before = _share(self._start.busy - idle.busy, self._start.total - idle.total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        start, end = self._start, self._machine.ticks()
        busy_by_others = stolen = None
        if start is not None and end is not None:
            others = end.busy - start.busy - (_own_seconds() - self._own_seconds)
            busy_by_others = _share(others, end.total - start.total)
            stolen = _share(end.stolen - start.stolen, end.total - start.total)
        self.activity = Activity(self._busy_before, busy_by_others, stolen, self._before, self._machine.state())


def _own_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _share(part: float, whole: float) -> float:
    return round(max(0.0, part) / whole, 4) if whole > 0 else 0.0
