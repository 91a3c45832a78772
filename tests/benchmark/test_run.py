"""benchmark() with real models in real processes, good ones and ones that fail in each way."""

import hashlib
import io
import json
import os
import signal
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.garden import Run, encoded, jpeg, put

from benchmark import tiny_models
from benchmark.tiny_models import INT8, UINT8
from edgeretrain.backbone import find_backbone
from edgeretrain.benchmark import benchmark, process, read_results
from edgeretrain.benchmark import run as run_module
from edgeretrain.benchmark.environment import Machine
from edgeretrain.benchmark.subject import Subject
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.runtime import Network, load_runtime
from edgeretrain.threads import available_cores

pytest.importorskip("ai_edge_litert")
MODEL = find_backbone("mobilenet_v2_100_224", "int8").path


def briefly(*models: Path, **options: Any) -> list[dict[str, Any]]:
    """The results of a measurement that takes as little time as can be."""
    told = benchmark(models, **{"runs": 2, "seconds": 0.0, "end_to_end": False, **options})
    results: list[dict[str, Any]] = told["results"]
    return results


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "_BUSY_SECONDS", 0.02)
    monkeypatch.setattr(run_module, "WARMUP_SECONDS", 0.02)


def test_everything_about_a_real_model(run: Run, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (750, 1000, 3), np.uint8)
    content = encoded(noise, "JPEG")  # decoding it takes longer than the inference
    model, photo = run.model("int8"), put(tmp_path / "photo.jpg", content)
    steps: dict[str, tuple[int, int]] = {}
    told = benchmark(
        [model],
        threads=(1, 2),
        runs=12,
        seconds=0.02,
        photos=[photo],
        progress=lambda step, done, total: steps.update({step: (done, total)}),
    )
    assert set(told) == {"edgeretrain", "protocol", "environment", "warnings", "results"}
    environment = told["environment"]
    assert environment["runtime"] == str(load_runtime()) and environment["groups"] == 1
    assert environment["photos"] == f"1 given, {len(content):,} bytes on average"
    assert environment["machine"] and environment["before"].keys() == environment["after"].keys()
    assert [one["threads"] for one in told["results"]] == [1, 2]
    one = told["results"][0]
    content = model.read_bytes()
    assert (one["model"], one["bytes"]) == (str(model), len(content))
    assert one["sha256"] == hashlib.sha256(content).hexdigest()
    assert 0.5 * len(content) < one["weight_bytes"] < len(content)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as zipped:
        zipped.writestr("model", content)
        assert one["compressed_bytes"] == zipped.getinfo("model").compress_size
    assert (one["runtime"], one["delegate"], one["end_to_end_note"]) == (str(load_runtime()), "XNNPACK", None)
    assert one["initialization_ms"] > 0 and one["first_inference_ms"] > 0
    assert one["warmup"]["runs"] >= 1 and one["warmup"]["mean_ms"] > 0
    inference, end_to_end = one["inference_ms"], one["end_to_end_ms"]
    for figures in (inference, end_to_end):
        assert figures["runs"] >= 12
        assert (
            figures["min"] <= figures["median"] <= figures["p90"] <= figures["p95"] <= figures["p99"] <= figures["max"]
        )
    assert one["throughput_per_second"] == pytest.approx(1000 / inference["mean"], rel=0.01)
    assert end_to_end["min"] > inference["min"]
    assert 1e6 < one["peak_memory_bytes"] < 200e6
    assert steps == {"Loading models": (2, 2), "Measuring": (20, 20)}


@pytest.mark.slow
def test_a_larger_model_adds_more_memory() -> None:
    large, small = briefly(find_backbone("mobilenet_v1_100_224", "float32").path, MODEL)
    # Its 12.8 MB of weights are packed once more by XNNPACK.
    assert large["peak_memory_bytes"] - small["peak_memory_bytes"] > 10e6


def test_models_of_other_makers(tmp_path: Path) -> None:
    made = [
        tiny_models.classifier(tmp_path / "float.tflite"),
        tiny_models.classifier(tmp_path / "uint8.tflite", dtype=UINT8),
        tiny_models.classifier(tmp_path / "int8.tflite", dtype=INT8),
        tiny_models.classifier(tmp_path / "gray.tflite", shape=(1, 8, 12, 1)),
        tiny_models.sum_of_two(tmp_path / "two.tflite"),
    ]
    results = briefly(*made, end_to_end=True, photos=[put(tmp_path / "photo.jpg", jpeg(0))])
    notes = [one["end_to_end_note"] for one in results]
    for one, note in zip(results[:3], notes[:3], strict=True):
        assert one["end_to_end_ms"]["runs"] >= 2 and "no edgeretrain card" in note
    assert "not one square RGB image" in notes[3] and "2 inputs" in notes[4]
    assert [one["end_to_end_ms"] for one in results[3:]] == [None, None]
    assert all(one["inference_ms"]["runs"] >= 2 and one["delegate"] == "XNNPACK" for one in results)


def test_failures_are_results_and_the_others_go_on(tmp_path: Path) -> None:
    good = tiny_models.classifier(tmp_path / "good.tflite")
    bad = {
        tiny_models.crasher(tmp_path / "crasher.tflite"): "its process crashed while loading",
        tiny_models.unknown_operator(tmp_path / "unknown.tflite"): "cannot load it (Encountered unresolved custom op",
        tiny_models.division_by_zero(tmp_path / "division.tflite"): "inference fails (",
        tiny_models.text_input(tmp_path / "text.tflite"): "takes strings, which cannot be made up",
        put(tmp_path / "header.tflite", b"\x1c\0\0\0TFL3"): "cannot load it",
        put(tmp_path / "cut.tflite", MODEL.read_bytes()[:-900_000]): "",
    }
    *failed, last = briefly(*bad, good)
    assert last["inference_ms"]["runs"] >= 2
    for one, (path, words) in zip(failed, bad.items(), strict=True):
        assert one.keys() == {"model", "threads", "error"}
        assert one["model"] == str(path) and words in one["error"], one
        assert "\n" not in one["error"] and not one["error"].startswith(str(path))


def test_a_model_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "PATIENCE_SECONDS", 2.0)
    (one,) = briefly(tiny_models.endless(tmp_path / "endless.tflite"))
    assert one["error"] == "no answer for 2 seconds while loading or at the first inferences: ended"


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_dies_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [tiny_models.classifier(tmp_path / f"{name}.tflite") for name in "ab"]
    started = []
    start = process.WorkerProcess.__init__

    def remember(self: process.WorkerProcess) -> None:
        start(self)
        started.append(self.pid)

    monkeypatch.setattr(process.WorkerProcess, "__init__", remember)

    def progress(step: str, done: int, total: int) -> None:
        if (step, done) == ("Measuring", 4):
            os.kill(started[0], signal.SIGKILL)

    killed, other = briefly(*models, runs=10, progress=progress)
    assert killed["error"] == "its process crashed at inference (SIGKILL)"
    assert other["inference_ms"]["runs"] == 10


def test_what_lies_in_the_current_folder_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    for name in ("random.py", "statistics.py", "numpy.py", "json.py"):
        put(tmp_path / name, b"raise SystemExit('the wrong file')")
    monkeypatch.chdir(tmp_path)
    (one,) = briefly(tiny_models.classifier(tmp_path / "a.tflite"))
    assert one["inference_ms"]["runs"] == 2


def test_a_process_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (one,) = briefly(tiny_models.classifier(tmp_path / "a.tflite"))
    assert one["error"] == "its process cannot be started (No such file or directory)"


def test_no_worker_outlives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[process.WorkerProcess] = []
    start = process.WorkerProcess.__init__

    def remember(self: process.WorkerProcess) -> None:
        start(self)
        started.append(self)

    monkeypatch.setattr(process.WorkerProcess, "__init__", remember)

    def interrupted(step: str, done: int, total: int) -> None:
        if (step, done) == ("Measuring", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        briefly(tiny_models.classifier(tmp_path / "a.tflite"), threads=(1, 2), progress=interrupted)
    assert [worker._process.poll() is not None for worker in started] == [True, True]


@pytest.mark.slow
def test_without_xnnpack_and_with_more_threads_than_cores() -> None:
    (one,) = briefly(MODEL, xnnpack=False, threads=(available_cores() + 1,))
    assert one["delegate"] == "none"
    assert any("More threads than usable cores" in warning for warning in one["warnings"])


def test_turns_are_taken_in_changing_order() -> None:
    jobs: Any = list("abc")
    orders = ["".join(map(str, run_module._order(jobs, turn))) for turn in range(6)]
    assert orders == ["abc", "acb", "cab", "cba", "bca", "bac"]  # each once: nobody has a place or a predecessor


@pytest.mark.slow
def test_little_memory_makes_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = [tiny_models.classifier(tmp_path / f"{number}.tflite") for number in range(3)]
    monkeypatch.setattr(Machine, "memory", lambda self, field: 450 << 20)
    told = benchmark(models, runs=1, seconds=0, end_to_end=False)
    assert told["environment"]["groups"] == 2
    assert [one["model"] for one in told["results"]] == list(map(str, models))
    assert all(one["inference_ms"]["runs"] == 1 for one in told["results"])


@pytest.mark.slow
def test_slow_models_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "MAX_SECONDS", 0.001)
    (one,) = briefly(MODEL, runs=100)
    assert one["inference_ms"]["runs"] == 10  # one a slice
    assert any("Fewer runs than asked" in warning for warning in one["warnings"])


def test_the_result_is_a_results_file(tmp_path: Path) -> None:
    told = benchmark([tiny_models.classifier(tmp_path / "a.tflite")], runs=1, seconds=0)
    assert "one made up, 1280 x 960 JPEG" in told["environment"]["photos"]
    (tmp_path / "r.json").write_text(json.dumps(told))
    assert read_results(tmp_path / "r.json") == told


def test_photos_are_shown_whole(tmp_path: Path) -> None:
    """The label that end-to-end finds is the classifier's: the same pixels go in."""
    flat = put(tmp_path / "flat.png", b"")
    Image.new("RGB", (9, 5), (255, 0, 0)).save(flat)
    path = tiny_models.classifier(tmp_path / "a.tflite")
    subject = Subject(path, threads=1, runtime=load_runtime())
    subject.prepare(path)
    scores = Network(path)(np.full((8, 8, 3), (255, 0, 0), np.uint8))
    assert subject.photo_runner([flat])() == str(scores.argmax())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threads": (0,)}, "threads must be at least 1, not 0."),
        ({"threads": (1, -2)}, "threads must be at least 1, not -2."),
        ({"threads": ()}, "threads must be at least 1, not 0."),
        ({"runs": 0}, "0 runs measure nothing"),
        ({"seconds": -1.0}, "-1 seconds"),
        ({"seconds": float("nan")}, "nan seconds"),
        ({"runtime": "onnx"}, "There is no runtime 'onnx'"),
        ({"photos": [Path("none.jpg")], "end_to_end": True}, "no such file"),
    ],
)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        briefly(MODEL, **options)
    assert words in str(caught.value)


def test_bad_models(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match="no model to measure"):
        briefly()
    with pytest.raises(EdgeretrainError, match=r"none\.tflite: cannot be read \(No such file"):
        briefly(MODEL, tmp_path / "none.tflite")
    with pytest.raises(EdgeretrainError, match="this is not a TFLite model"):
        briefly(put(tmp_path / "photo.jpg", jpeg(0)))
