"""Run by test_tflite_runtime.py in either environment: model files x photos -> probabilities, through `Classifier`."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.classifier import Classifier


def run(classifier: Classifier, photos: list[Path]) -> list[Any]:
    return [classifier.probabilities(photo) for photo in photos]


def main(runtime: str, task: str, out: str) -> None:
    """Read `{"models": [...], "photos": [...]}` from `task`; write one float32 `[photos, classes]` array per model."""
    wanted = json.loads(Path(task).read_text(encoding="utf-8"))
    photos = [Path(photo) for photo in wanted["photos"]]
    halves = [photos[0::2], photos[1::2]]
    found = {}
    for model in wanted["models"]:
        classifiers = [Classifier(model, runtime=runtime) for _ in halves]

        with ThreadPoolExecutor(2) as pool:
            rows = list(pool.map(run, classifiers, halves))
        values = np.empty((len(photos), len(classifiers[0].labels)), np.float32)
        values[0::2], values[1::2] = rows
        found[Path(model).name] = values
    np.savez(out, **found)
    print(json.dumps({"runtime": str(classifiers[0].runtime)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
