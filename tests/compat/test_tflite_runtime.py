"""The files run alike in LiteRT and in tflite-runtime 2.14, the newest that 32-bit Raspberry Pis have."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from compat.environments import Environment, Retrained, run_here

pytestmark = pytest.mark.slow

# All that a Classifier needs.
TFLITE_RUNTIME = ("tflite-runtime==2.14.0", "numpy==1.26.4", "pillow")

# Share of photos with the same top-1. The quantized ones cannot be identical: the two runtimes round differently.
# Measured 5-fold on 1,000 photos, each by a model that was not trained on it: dynamic 99.4 %, int8 99.2 %.
LEAST_AGREEMENT = {"float32": 0.995, "float16": 0.995, "dynamic": 0.97, "int8": 0.97}


@pytest.fixture(scope="module")
def old(environment: Environment) -> Path:
    return environment(*TFLITE_RUNTIME)


def test_top1_agrees_with_litert(retrained: Retrained, old: Path, tmp_path: Path) -> None:
    task = tmp_path / "task.json"
    task.write_text(
        json.dumps({"models": list(map(str, retrained.models)), "photos": list(map(str, retrained.photos))})
    )
    answers = {}
    for python, runtime in ((sys.executable, "ai_edge_litert"), (old, "tflite_runtime")):
        out = tmp_path / f"{runtime}.npz"
        said = json.loads(
            run_here(python, Path(__file__).with_name("probabilities.py"), runtime, task, out).stdout,
        )
        answers[runtime] = np.load(out)
        assert said["runtime"].startswith(runtime)
    assert said["runtime"] == "tflite_runtime 2.14.0"
    assert len(retrained.testing) >= 400
    for model in retrained.models:
        precision = model.name.split(".")[1]
        new, other = (answers[runtime][model.name] for runtime in ("ai_edge_litert", "tflite_runtime"))
        same = new.argmax(axis=1) == other.argmax(axis=1)
        held_out = same[retrained.testing]
        print(
            f"{precision}: same top-1 on {held_out.sum()} of {len(held_out)} test photos, {same.sum()} of all "
            f"{len(same)}; largest difference of a probability {np.abs(new - other).max():.1e}"
        )
        assert held_out.mean() >= LEAST_AGREEMENT[precision], precision
        assert same.mean() >= LEAST_AGREEMENT[precision], precision
        if precision in ("float32", "float16"):
            assert np.abs(new - other).max() < 1e-5


def test_the_command_line_classifies(retrained: Retrained, environment: Environment) -> None:
    python = environment(*TFLITE_RUNTIME, "typer", "rich")
    photos = retrained.photos[:3]
    arguments = ["-m", "edgeretrain", "classify", retrained.folder / "model.float32.tflite", *photos, "--json"]
    here = run_here(sys.executable, *arguments, "--runtime", "ai_edge_litert")
    there = run_here(python, *arguments, "--runtime", "tflite_runtime")
    assert here.stderr == there.stderr == ""
    expected, found = json.loads(here.stdout), json.loads(there.stdout)
    assert [one["photo"] for one in found] == [str(photo) for photo in photos]
    for one, other in zip(expected, found, strict=True):
        assert [each["label"] for each in one["predictions"]] == [each["label"] for each in other["predictions"]]
        scores = [[each["score"] for each in answer["predictions"]] for answer in (one, other)]
        assert np.allclose(*scores, atol=1e-5)
    refused = run_here(python, *arguments, "--runtime", "ai_edge_litert", check=False)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: The runtime ai_edge_litert does not work here")
    assert refused.stderr.count("\n") == 1


def test_numpy_2_is_one_line_with_the_fix(environment: Environment) -> None:
    """tflite-runtime 2.14 does not ask for numpy<2, so this is what `pip install tflite-runtime` gives."""
    python = environment("tflite-runtime==2.14.0", "numpy>=2", "pillow")
    code = (
        "from edgeretrain.errors import EdgeretrainError\n"
        "from edgeretrain.tflite.runtime import load_runtime\n"
        "for name in ('tflite_runtime', None):\n"
        "    try:\n"
        "        load_runtime(name)\n"
        "    except EdgeretrainError as error:\n"
        "        print(error)\n"
    )
    done = run_here(python, "-c", code)
    forced, default = done.stdout.splitlines()
    assert done.stderr == ""
    assert forced.startswith(
        "The runtime tflite_runtime does not work here (tflite_runtime: built for NumPy 1, not for"
    )
    assert default.startswith("No runtime for .tflite files works here (ai_edge_litert: No module named")
    assert forced.endswith('Run pip install "numpy<2"')
    assert default.endswith('Run pip install "numpy<2"')
