"""MediaPipe Tasks' ImageClassifier runs the files as they are: labels, input range and scores from our metadata.

Measured with mediapipe 1.2.2: all four precisions open, and with the same pixels every score is the very same number.
Needs no network and no display, but the libraries EGL and GLES v2.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compat.environments import Environment, Retrained, run_here
from edgeretrain.version import __version__

pytestmark = pytest.mark.slow

PHOTOS = 100


@pytest.fixture(scope="module")
def mediapipe(environment: Environment) -> Path:
    python = environment("mediapipe==1.2.2", "pillow", "ai-edge-litert")
    done = run_here(python, "-c", "from mediapipe.tasks.python.vision import ImageClassifier", check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        pytest.skip(f"mediapipe does not import ({reason}). On Debian and Ubuntu: apt install libegl1 libgles2")
    return python


@pytest.fixture(scope="module")
def photos(retrained: Retrained) -> list[Path]:
    """Test photos of every class."""
    held_out = [retrained.photos[index] for index in retrained.testing]
    return held_out[:: len(held_out) // PHOTOS][:PHOTOS]


@pytest.fixture(scope="module")
def answers(
    retrained: Retrained, photos: list[Path], mediapipe: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    from edgeretrain.data.pixels import load_pixels

    folder = tmp_path_factory.mktemp("mediapipe")
    task, resized = folder / "task.json", folder / "resized.npy"
    task.write_text(json.dumps({"models": list(map(str, retrained.models)), "photos": list(map(str, photos))}))
    np.save(resized, np.stack([load_pixels(photo, 224, "squash") for photo in photos]))
    done = run_here(mediapipe, Path(__file__).with_name("mediapipe_answers.py"), task, resized)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_all_four_precisions_open_and_answer_as_we_do(
    retrained: Retrained, photos: list[Path], answers: list[dict[str, Any]]
) -> None:
    from edgeretrain.classifier import Classifier

    for model, answer in zip(retrained.models, answers, strict=True):
        assert "error" not in answer, f"{model.name}: {answer['error']}"
        classifier = Classifier(model, runtime="ai_edge_litert")
        expected = [{one.label: one.score for one in classifier(photo)} for photo in photos]
        assert len(expected) >= 50
        same = [next(iter(one)) == next(iter(other)) for one, other in zip(expected, answer["resized"], strict=True)]
        whole = [next(iter(one)) == next(iter(other)) for one, other in zip(expected, answer["whole"], strict=True)]
        differences = [
            abs(one[label] - other[label])
            for one, other in zip(expected, answer["resized"], strict=True)
            for label in retrained.labels
        ]
        print(
            f"{model.name}: same top-1 on {sum(same)} of {len(same)} photos resized by us, on {sum(whole)} resized by "
            f"MediaPipe; largest difference of a probability {max(differences):.1e}"
        )
        assert all(set(other) == set(retrained.labels) for other in answer["resized"])
        assert all(same)
        # MediaPipe's XNNPACK may be older or newer than LiteRT's and round quantized operators differently.
        assert max(differences) < (1e-4 if "float" in model.name else 0.1)
        # Its own resize is another one: photos near the border of two classes change sides, in either direction.
        assert np.mean(whole) >= 0.9


def test_its_schema_reads_our_metadata(retrained: Retrained, answers: list[dict[str, Any]]) -> None:
    for model, answer in zip(retrained.models, answers, strict=True):
        precision = model.name.split(".")[1]
        metadata = answer["metadata"]
        enums = metadata.pop("enums")
        assert metadata == {
            "name": f"mobilenet_v2_100_224 {precision}",
            "version": __version__,
            "license": "Apache-2.0",
            "min_parser_version": "1.0.0",
            "files": [["edgeretrain.json", enums["descriptions"]]],
            "photo": {
                "name": "photo",
                "colour_space": enums["rgb"],
                "is_image": True,
                # Raw RGB is fed as it is; a uint8 input takes no normalization at all.
                "normalization": [] if precision == "int8" else [[[0.0], [1.0]]],
                "range": [[0.0], [255.0]],
            },
            "probability": {
                "name": "probability",
                "range": [[0.0], [1.0]],
                "files": [["labels.txt", enums["labels"]]],
            },
        }, model.name
