"""The whole sweep on real backbones; only the stopwatch is made up, where its figures do not matter."""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmark.made_up import failure, result, results
from support.garden import Run
from support.own_backbone import put_own_backbone
from support.plain import sweep

from edgeretrain.backbone import Backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.options import Options
from edgeretrain.records.benchmark import Benchmark, BenchmarkFailure, BenchmarkResult
from edgeretrain.records.training import Report
from edgeretrain.sweep import Budget
from edgeretrain.sweep.retraining import PresetTrainer

V1, V2 = "mobilenet_v1_100_224", "mobilenet_v2_100_224"
Sweep = Callable[..., dict[str, Any]]


class Stopwatch:
    """Stands in for the benchmark: a file takes a millisecond for every megabyte."""

    def __init__(self) -> None:
        self.measured: list[list[str]] = []
        self.broken: set[str] = set()

    def __call__(self, models: Sequence[Path], **_: Any) -> Benchmark:
        self.measured.append([f"{path.parent.name}/{path.name}" for path in models])
        return results(*map(self._measured, models))

    def _measured(self, path: Path) -> BenchmarkResult | BenchmarkFailure:
        if path.parent.name in self.broken:
            return failure(str(path))
        size = path.stat().st_size
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return result(str(path), median=size / 1e6, sha256=digest, bytes=size, compressed_bytes=size // 2)


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    watch = Stopwatch()
    monkeypatch.setattr("edgeretrain.benchmark.benchmark", watch)
    return watch


@pytest.fixture
def swept(run: Run, tmp_path: Path, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """A sweep of `textures`, whose bottlenecks the session's run has cached for one of the presets."""
    monkeypatch.setattr("edgeretrain.backbone.tensorflow_extra.tensorflow_available", lambda: False)

    def start(**options: Any) -> dict[str, Any]:
        given: dict[str, Any] = {"presets": [V2], "precisions": ["int8"], **options}
        return sweep(given.pop("photos", run.photos), tmp_path / "sweep", **given)

    return start


def test_every_model_is_retrained_proven_and_measured(swept: Sweep, tmp_path: Path) -> None:
    result = swept(presets=["mobilenet_v?_100_224", "mobilenet_v1_025_128"], precisions=["dynamic", "int8"])
    named = [(one["preset"], one["precision"]) for one in result["candidates"]]
    assert named == [(V1, "int8"), (V2, "dynamic"), (V2, "int8")]
    assert [(one["preset"], one["precision"], one["stage"]) for one in result["failed"]] == [
        (V1, "dynamic", "backbone"),
        ("mobilenet_v1_025_128", None, "backbone"),
    ]
    for one in result["candidates"]:
        model = tmp_path / "sweep" / one["file"]
        report = json.loads((model.parent / "report.json").read_text())
        proven = next(each for each in report["models"] if each["precision"] == one["precision"])
        assert one["top1"] == proven["evaluation"]["top1"]
        assert one["bytes"] == model.stat().st_size
        assert one["latency_ms"] == one["bytes"] / 1e6
        validation = sum(report["photos"]["validation"].values())
        right = proven["head"]["validation_top1"] * validation + one["top1"] * one["test_photos"]
        assert one["held_out"]["photos"] == validation + one["test_photos"]
        assert one["held_out"]["top1"] * one["held_out"]["photos"] == pytest.approx(right)
        assert one["interval"][0] <= one["top1"] <= one["interval"][1]
        assert (tmp_path / "sweep" / one["report"]).is_file()
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text()) == result
    assert V2 in (tmp_path / "sweep" / "report.html").read_text()
    assert result["pick"]["preset"] in (V1, V2)
    assert result["nearest"] is None
    macs = {one["preset"]: one["macs"] for one in result["candidates"]}
    assert macs[V1] == pytest.approx(569e6, rel=0.01)  # the published figure; the head's part is small


def test_a_second_sweep_does_nothing_again(swept: Sweep, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    first = swept()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("retrained again")

    monkeypatch.setattr(PresetTrainer, "_retrain", never)
    assert swept() == first
    assert len(stopwatch.measured) == 1
    swept(remeasure=True)
    assert len(stopwatch.measured) == 2


@pytest.mark.parametrize("spoil", ["model", "report", "options"])
def test_a_run_folder_that_is_not_what_it_should_be_is_made_again(
    swept: Sweep, tmp_path: Path, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = swept(latency=False, precisions=["int8"])
    made: list[str] = []
    original = PresetTrainer._retrain
    monkeypatch.setattr(PresetTrainer, "_retrain", lambda *given: made.append(given[1]) or original(*given))
    folder = tmp_path / "sweep" / V2
    options = {"latency": False, "precisions": ["int8"]}
    if spoil == "model":
        path = folder / "model.int8.tflite"
        path.write_bytes(path.read_bytes()[:-1])
    elif spoil == "report":
        (folder / "report.json").write_text("{")
    else:
        options["options"] = Options(class_weight="none")
    second = swept(**options)
    assert made == [V2]
    if spoil != "options":
        assert second == first


def test_other_photos_are_not_taken_for_the_same(swept: Sweep, run: Run, tmp_path: Path) -> None:
    import shutil

    first = swept(latency=False, precisions=["int8"])
    photos = shutil.copytree(run.photos, tmp_path / "others")
    next((photos / "dots").iterdir()).unlink()
    second = swept(latency=False, precisions=["int8"], photos=photos)
    assert first["photos"]["digest"] != second["photos"]["digest"]
    assert first["candidates"][0]["sha256"] != second["candidates"][0]["sha256"]


def test_one_failure_does_not_stop_the_others(swept: Sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    original = PresetTrainer._retrain

    def fragile(trainer: PresetTrainer, preset: str, backbones: Sequence[Backbone]) -> Report:
        if preset == V1:
            raise RuntimeError("V1 is no good today")
        if "dynamic" in [backbone.precision for backbone in backbones]:
            raise EdgeretrainError("dynamic is no good today.")
        return original(trainer, preset, backbones)

    monkeypatch.setattr(PresetTrainer, "_retrain", fragile)
    result = swept(presets=[V1, V2], precisions=["float32", "dynamic", "int8"], latency=False)
    assert [(one["preset"], one["precision"]) for one in result["candidates"]] == [(V2, "float32"), (V2, "int8")]
    told = {(one["preset"], one["precision"], one["stage"]): one["reason"] for one in result["failed"]}
    assert told[V2, "dynamic", "retrain"] == "dynamic is no good today."
    assert told[V1, "float32", "retrain"] == "RuntimeError: V1 is no good today"
    assert told[V1, "int8", "retrain"] == "RuntimeError: V1 is no good today"


def test_a_model_that_cannot_be_measured_is_told_and_keeps_no_latency(swept: Sweep, stopwatch: Stopwatch) -> None:
    stopwatch.broken = {V2}
    result = swept(presets=["mobilenet_v?_100_224"], precisions=["int8"], budget=Budget(max_latency=1000))
    assert [one["latency_error"] for one in result["candidates"]] == [None, "it crashed"]
    assert {"preset": V2, "precision": "int8", "stage": "latency", "reason": "it crashed"} in result["failed"]
    assert result["pick"]["preset"] == V1
    assert result["candidates"][1]["misses"] == [{"budget": "max_latency", "by": None}]
    stopwatch.broken = set()
    again = swept(presets=["mobilenet_v?_100_224"], precisions=["int8"], budget=Budget(max_latency=1000))
    assert again["candidates"][1]["latency_ms"] is not None


def test_nothing_fits_and_the_nearest_miss_is_named(swept: Sweep) -> None:
    result = swept(budget=Budget(max_size=1_000_000), latency=False)
    assert result["pick"] is None
    assert "at most 1,000,000 allowed" in result["nearest"]["reason"]
    assert all(one["misses"] for one in result["candidates"])


def test_nothing_at_all_can_be_had(swept: Sweep, tmp_path: Path) -> None:
    result = swept(presets=["mobilenet_v1_025_*"])
    assert (result["candidates"], result["pick"], result["nearest"], result["latency"]) == ([], None, None, None)
    assert len(result["failed"]) == 4
    assert (tmp_path / "sweep" / "report.html").is_file()


def test_the_device_is_tried_before_anything_is_retrained(
    swept: Sweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise EdgeretrainError("ssh://pi: cannot be reached.")

    monkeypatch.setattr("edgeretrain.remote.benchmark_on", unreachable)
    with pytest.raises(EdgeretrainError, match="cannot be reached"):
        swept(device="ssh://pi")
    assert not (tmp_path / "sweep").exists()


def test_the_device_measures_in_place_of_this_machine(
    swept: Sweep, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Stopwatch()
    monkeypatch.setattr("edgeretrain.remote.benchmark_on", lambda _, models, **options: there(models, **options))
    here = swept()
    result = swept(device="ssh://pi")
    assert result["latency"]["where"] == "ssh://pi"
    assert here["latency"]["where"] == "this machine"
    assert len(stopwatch.measured) == 1
    assert len(there.measured) == 2  # the trial and the measurement


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"latency": False, "budget": Budget(max_latency=5)}, "--no-latency"),
        ({"latency": False, "device": "ssh://pi"}, "--no-latency"),
        ({"threads": 0}, "threads must be at least 1, not 0."),
        ({"precisions": []}, "No precision"),
        ({"presets": ["resnet*"]}, "resnet"),
        ({"runtime": "onnx"}, "onnx"),
    ],
)
def test_what_cannot_be_done_is_refused_at_once(
    swept: Sweep, tmp_path: Path, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(EdgeretrainError, match=says):
        swept(**options)
    assert not (tmp_path / "sweep").exists()


def test_a_folder_of_something_else_is_left_alone(swept: Sweep, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "thesis.txt").write_text("mine")
    with pytest.raises(EdgeretrainError, match=r"thesis\.txt"):
        swept()
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["thesis.txt"]


def test_a_sweep_among_the_photos_is_refused(run: Run) -> None:
    with pytest.raises(EdgeretrainError, match="inside the photos folder"):
        sweep(run.photos, run.photos / "sweep")


def test_an_own_backbone_is_a_candidate(
    swept: Sweep, tmp_path: Path, stopwatch: Stopwatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    put_own_backbone()
    result = swept(presets=["my_net", V2])
    ours, own = result["candidates"]
    assert (own["preset"], own["architecture"], own["alpha"], own["resolution"]) == ("my_net", "theirs", None, 224)
    assert all(own[key] == ours[key] for key in ("top1", "log_loss", "macs", "parameters"))
    assert "my_net int8" in (tmp_path / "sweep" / "report.html").read_text()
    shutil.rmtree(tmp_path / "cache" / "backbones")  # the folder is a sweep's all the same
    assert [one["preset"] for one in swept()["candidates"]] == [V2]
