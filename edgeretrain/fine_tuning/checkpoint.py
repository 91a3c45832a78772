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
    """How far a training has come.

    Attributes:
        history: metrics of every epoch, from epoch 0.
        weights: of the trainable variables after the last epoch.
        optimizer_state: the optimizer's variables, then the moving average of the weights.
        best: that average after the best epoch.
    """

    history: list[EpochRecord]
    weights: Arrays
    optimizer_state: Arrays
    best: Arrays


def write_state(path: Path, state: State) -> None:
    """Write a state; it replaces the previous one.

    Raises:
        EdgeretrainError: it cannot be written.
    """
    groups = {"weights": state.weights, "memory": state.optimizer_state, "best": state.best}
    arrays: dict[str, Any] = {
        f"{group}_{index}": array for group, members in groups.items() for index, array in enumerate(members)
    }
    content = io.BytesIO()
    arrays["history"] = np.frombuffer(json.dumps([to_json(epoch) for epoch in state.history]).encode(), np.uint8)
    np.savez(content, **arrays)
    hint = "Free some room, or point EDGERETRAIN_CACHE to another folder."
    write_atomic(path, content.getvalue(), parents=True, hint=hint)


def read_state(path: Path) -> State | None:
    """The state in the file; None if the file is missing or damaged: then the training starts again."""
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
