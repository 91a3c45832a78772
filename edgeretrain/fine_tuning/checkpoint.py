"""The state of a fine-tuning after its last finished epoch, on disk: there whole or not at all."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from edgeretrain.files.atomic import write_atomic

Arrays = list[npt.NDArray[Any]]


class ValidationMetrics(TypedDict):
    """Of the validation photos: mean log loss [nats], its standard error [nats], top-1 accuracy [0 to 1]."""

    validation_log_loss: float
    validation_error: float
    validation_top1: float


class EpochMetrics(ValidationMetrics):
    """The network after an epoch; epoch 0 is the frozen network, without a training loss [nats]."""

    epoch: int
    training_loss: float | None


@dataclass(frozen=True)
class State:
    """How far a training has come.

    Attributes:
        history: metrics of every epoch, from epoch 0.
        weights: of the trainable variables after the last epoch.
        optimizer_state: the optimizer's variables, then the moving average of the weights.
        best: that average after the best epoch.
    """

    history: list[EpochMetrics]
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
    arrays["history"] = np.frombuffer(json.dumps(state.history).encode(), np.uint8)
    np.savez(content, **arrays)
    hint = "Free some room, or point EDGERETRAIN_CACHE to another folder."
    write_atomic(path, content.getvalue(), parents=True, hint=hint)


def read_state(path: Path) -> State | None:
    """The state in the file; None if the file is missing or damaged: then the training starts again."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            history = json.loads(arrays["history"].tobytes())
            groups = [
                [arrays[f"{group}_{index}"] for index in range(sum(name.startswith(f"{group}_") for name in arrays))]
                for group in ("weights", "memory", "best")
            ]
        return State(history, *groups)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        return None
