"""The state of a fine-tuning after its last finished epoch, on disk: there whole or not at all."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.files.atomic import write_atomic
from edgeretrain.records.json_form import from_json, to_json
from edgeretrain.records.training import EpochRecord

Arrays = list[npt.NDArray[Any]]


@dataclass(frozen=True)
class State:
    """Where a training stands.

    Attributes:
        history: a record per epoch; the first is the frozen network's.
        weights: learnt, after the last epoch; `memory`: the optimizer's, and the average of the weights.
        best: that average after the best epoch.
    """

    history: list[EpochRecord]
    weights: Arrays
    memory: Arrays
    best: Arrays


def write_state(path: Path, state: State) -> None:
    """Write a state in the place of the one before.

    Raises:
        EdgeretrainError: it cannot be written.
    """
    groups = {"weights": state.weights, "memory": state.memory, "best": state.best}
    arrays: dict[str, Any] = {
        f"{group}_{index}": one for group, members in groups.items() for index, one in enumerate(members)
    }
    content = io.BytesIO()
    arrays["history"] = np.frombuffer(json.dumps([to_json(epoch) for epoch in state.history]).encode(), np.uint8)
    np.savez(content, **arrays)
    way_out = "Free some room, or point EDGERETRAIN_CACHE to another folder."
    write_atomic(path, content.getvalue(), parents=True, way_out=way_out)


def read_state(path: Path) -> State | None:
    """The state in the file; None when there is none or it is damaged: then training starts anew."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            history = [from_json(EpochRecord, epoch) for epoch in json.loads(arrays["history"].tobytes())]
            groups = [
                [arrays[f"{group}_{index}"] for index in range(sum(name.startswith(f"{group}_") for name in arrays))]
                for group in ("weights", "memory", "best")
            ]
        return State(history, *groups)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
