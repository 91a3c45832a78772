"""Runs in a userland: every model on every photo. Prints JSON."""

import hashlib
import json
import platform
import sys
from pathlib import Path

from edgeretrain.classifier import Classifier
from edgeretrain.data.pixels import load_pixels

task = json.loads(sys.argv[1])
answers = {}
for model in task["models"]:
    classifier = Classifier(Path(model), runtime=task["runtime"])
    answers[Path(model).name] = [
        {one.label: one.score for one in classifier(Path(photo), top_k=len(classifier.labels))}
        for photo in task["photos"]
    ]
pixels = [hashlib.sha256(load_pixels(Path(photo), 224).tobytes()).hexdigest() for photo in task["photos"]]
print(
    json.dumps(
        {
            "machine": platform.machine(),
            "python": platform.python_version(),
            "runtime": str(classifier.runtime),
            "pixels": pixels,
            "answers": answers,
        }
    )
)
