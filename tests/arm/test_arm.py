"""The three userlands of Raspberry Pi OS give the answers of this machine. README.md says how to run this."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arm.arm_demo import Demo
from arm.userland import HERE, Ready

pytestmark = [
    pytest.mark.arm,
    pytest.mark.skipif(HERE not in ("3.10", "3.11"), reason="tflite-runtime is not there for this machine's Python"),
]

# One unit of an int8 model's output. tflite-runtime's int8 kernels differ on x86 and on ARM, probably in how ties are
# rounded: of the first pointwise convolution's 200,704 values 353 differ by one, which moved one of 39 scores by one
# unit. LiteRT's kernels give the same bytes.
UNIT = 1 / 256

MACHINES = {"bookworm": "aarch64", "trixie": "aarch64", "armhf": "armv7l"}


@pytest.mark.parametrize(
    ("name", "runtime"),
    [
        ("bookworm", "tflite_runtime"),
        ("bookworm", "ai_edge_litert"),
        ("trixie", "ai_edge_litert"),
        ("armhf", "tflite_runtime"),
    ],
)
def test_answers_are_those_of_this_machine(answers: Callable[[str, str], Any], name: str, runtime: str) -> None:
    here, there = answers("here", runtime), answers(name, runtime)
    assert there["machine"] == MACHINES[name]
    assert there["pixels"] == here["pixels"]
    assert len(there["answers"]) == 4
    print(f"{name}: {there['machine']}, Python {there['python']}, {there['runtime']}; here {here['runtime']}")
    for model, found in there["answers"].items():
        expected = here["answers"][model]
        assert len(found) >= 12
        # The first of a dictionary is the most probable class.
        assert [next(iter(one)) for one in found] == [next(iter(one)) for one in expected], model
        furthest = max(
            abs(one[label] - other[label]) for one, other in zip(found, expected, strict=True) for label in one
        )
        print(f"  {model}: same top-1 on {len(found)} photos, scores differ by at most {furthest:.1e}")
        if "int8" in model:
            assert furthest <= (UNIT if runtime == "tflite_runtime" else 0)
        else:
            assert furthest < (0.01 if "dynamic" in model else 1e-4)


def test_both_arm_architectures_give_the_same_bytes(answers: Callable[[str, str], Any]) -> None:
    found, other = (answers(name, "tflite_runtime")["answers"]["model.int8.tflite"] for name in ("bookworm", "armhf"))
    assert found == other


@pytest.mark.parametrize("name", MACHINES)
def test_the_command_line_classifies(demo: Demo, userland: Callable[[str], Ready], name: str) -> None:
    model, photo = demo.run / "model.int8.tflite", demo.some[0]
    done = userland(name).run("-m", "edgeretrain", "classify", model, photo, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (answer,) = json.loads(done.stdout)
    assert answer["predictions"][0]["label"] == photo.parent.name
    print(f"{name}: {answer['predictions'][0]}")


def test_retrains_as_well_as_this_machine(demo: Demo, userland: Callable[[str], Ready], tmp_path: Path) -> None:
    shares = ("--validation-percentage", "20", "--testing-percentage", "20")  # as `edgeretrain demo`
    done = userland("trixie").run(
        *("-m", "edgeretrain", "retrain", demo.photos, "--precision", "int8", *shares, "--out", tmp_path / "run"),
        cache=tmp_path / "cache",  # not the one that holds this machine's bottlenecks
    )
    assert done.returncode == 0, done.stderr
    here, there = (_int8(folder) for folder in (demo.run, tmp_path / "run"))
    found, expected = there["evaluation"], here["evaluation"]
    same = "the same bytes" if there["sha256"] == here["sha256"] else "other bytes"
    print(f"retrained on aarch64: top-1 {found['top1']:.4f} on {found['photos']} test photos, model of {same};")
    print(f"retrained here: {expected['top1']:.4f}")
    assert found["photos"] == expected["photos"]
    assert found["confusion"] == expected["confusion"]


def _int8(run: Path) -> dict[str, Any]:
    models: list[dict[str, Any]] = json.loads((run / "report.json").read_text())["models"]
    return next(one for one in models if one["precision"] == "int8")
