"""What the agent on a device says, one record per event; `agent.py` writes them without knowing these classes."""

from dataclasses import dataclass
from typing import Literal

from edgeretrain.records.json_form import from_json


@dataclass(frozen=True, kw_only=True)
class Hello:
    """The agent runs: the version of its Python, and the machine with the bits of that Python."""

    python: str
    machine: str
    bits: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """It has found edgeretrain: its version, and the pip that updates it."""

    version: str
    pip: str


@dataclass(frozen=True, kw_only=True)
class Ready:
    """It waits for the models."""


@dataclass(frozen=True, kw_only=True)
class Copied:
    """A model has arrived whole."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """How far the benchmark is."""

    step: str
    done: int
    total: int


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Something is wrong there, and the agent ends.

    Attributes:
        reason: of `no edgeretrain` (may be "") and `system`.
        needed, free: of `disk`, bytes.
        name: of `copy`, the model.
    """

    kind: Literal["no edgeretrain", "disk", "copy", "system"]
    reason: str = ""
    needed: int = 0
    free: int = 0
    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The benchmark has ended: its exit code (-N: by signal N), all that it printed, its last lines on stderr."""

    code: int
    out: str
    stderr: tuple[str, ...]


Message = Hello | Found | Ready | Copied | Measuring | Failed | Ended

_EVENTS: dict[str, type[Message]] = {
    "hello": Hello,
    "found": Found,
    "ready": Ready,
    "copied": Copied,
    "progress": Measuring,
    "failed": Failed,
    "ended": Ended,
}


def read_message(content: dict[str, object]) -> Message:
    """The message that the agent sent as JSON, its `event` beside the fields of the record."""
    return from_json(_EVENTS[str(content["event"])], content)
