"""`edgeretrain benchmark`: what it prints and writes, when it fails, what it refuses."""

import csv
import json
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from benchmark import tiny_models
from benchmark.made_up import failure, result, results
from support.garden import jpeg, put

from cli.conftest import Outcome, Refused, Run
from edgeretrain.benchmark import activity
from edgeretrain.benchmark import run as run_module
from edgeretrain.records.benchmark import Benchmark
from edgeretrain.records.json_form import Record, to_json

pytest.importorskip("ai_edge_litert")


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "_BUSY_SECONDS", 0.02)
    monkeypatch.setattr(run_module, "WARMUP_SECONDS", 0.02)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny_models.classifier(tmp_path / "model.tflite")


@pytest.fixture
def bench(cli: Run) -> Run:
    def run(*arguments: Any) -> Outcome:
        return cli("benchmark", *arguments, "--runs", 2, "--seconds", 0, "--no-end-to-end")

    return run


def saved(path: Path, value: Record | dict[str, Any]) -> Path:
    path.write_text(json.dumps(value if isinstance(value, dict) else to_json(value)), "utf-8")
    return path


def test_table_csv_and_photos(cli: Run, model: Path, tmp_path: Path) -> None:
    put(tmp_path / "photos" / "a.jpg", jpeg(0))
    brief = ("--runs", 1, "--seconds", 0, "--photo", tmp_path / "photos", "--csv", tmp_path / "out.csv")
    out = cli("benchmark", model, "--threads", "1, 2,1", *brief).succeeds().out
    rows = [line.split() for line in out.splitlines() if line.startswith("model ")][1:]
    assert [row[1] for row in rows] == ["1", "2"]
    with (tmp_path / "out.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [(row["model"], row["threads"]) for row in written] == [(str(model), "1"), (str(model), "2")]
    assert float(written[0]["inference_ms.median"]) > 0 and float(written[0]["end_to_end_ms.median"]) > 0


def test_json_is_what_compare_reads(bench: Run, model: Path, tmp_path: Path) -> None:
    printed = json.loads(bench(model, "--json").succeeds().out)
    assert printed["results"][0]["model"] == str(model) and printed["environment"]["photos"] is None
    assert printed["schema"] == 1 and "comparison" not in printed
    old = saved(tmp_path / "old.json", printed)
    both = json.loads(bench(model, "--json", "--compare", old, "--factor", 1000).succeeds().out)
    assert both["comparison"]["rows"][0]["old"]["median_ms"] == printed["results"][0]["inference_ms"]["median"]
    again = saved(tmp_path / "new.json", both)
    assert "Nothing is more than 1.2 times" in cli_compare(bench, again, again).succeeds().out


def cli_compare(bench: Run, old: Path, new: Path, *more: Any) -> Outcome:
    return bench("--results", new, "--compare", old, *more)


def test_a_failure_is_told_and_the_rest_is_there(bench: Run, model: Path, tmp_path: Path) -> None:
    ended = bench(model, tiny_models.crasher(tmp_path / "crasher.tflite"), "--csv", tmp_path / "out.csv")
    line = ended.fails("1 of 2 could not be measured", "crasher.tflite, 1 threads", "its process crashed")
    assert line.endswith(").")
    assert "Failed: crasher" in ended.out and "\nmodel " in ended.out
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 3


def test_a_regression_fails(bench: Run, tmp_path: Path) -> None:
    old, new = saved(tmp_path / "old.json", results()), saved(tmp_path / "new.json", results(result(median=13.0)))
    ended = cli_compare(bench, old, new)
    ended.fails("Worse by a factor of more than 1.2", "median latency 1.30 times the old one")
    assert "Regression: " in ended.out
    cli_compare(bench, old, new, "--factor", 1.4).succeeds()
    cli_compare(bench, new, old).succeeds()
    saved(new, results(failure()))
    cli_compare(bench, old, new).fails("1 of 1 could not be measured: ", ". Worse by", "cannot be measured any more")


def test_two_machines(bench: Run, tmp_path: Path) -> None:
    old = saved(tmp_path / "old.json", results(machine="Raspberry Pi 3"))
    new = saved(tmp_path / "new.json", results())
    cli_compare(bench, old, new).fails("machine was Raspberry Pi 3 and is Raspberry Pi 4", "--across-machines")
    assert "times cannot be compared" in cli_compare(bench, old, new, "--across-machines").succeeds().out


@pytest.mark.parametrize("threads", ["0", "-1", "two", "", "1,,2", "1;2", "1.5", "²", "10000"])
def test_threads_that_are_none(refused: Refused, model: Path, threads: str) -> None:
    refused(
        "benchmark",
        model,
        "--threads",
        threads,
        says=("--threads must be numbers from 1 to 9999, such as 1,2,4", f"not {threads!r}"),
    )


def test_bad_input(refused: Refused, model: Path, tmp_path: Path) -> None:
    refused("benchmark", says=("There is no model to measure",))
    refused("benchmark", tmp_path / "none.tflite", says=("none.tflite: cannot be read",))
    photo = put(tmp_path / "a.jpg", jpeg(0))
    refused("benchmark", model, photo, says=("a.jpg: this is not a TFLite model",))
    refused("benchmark", model, "--runs", 0, says=("0 runs measure nothing",))
    refused("benchmark", model, "--runs", "many", says=("--runs",))
    refused("benchmark", model, "--seconds", -1, says=("-1 seconds",))
    refused("benchmark", model, "--runtime", "onnx", says=("no runtime 'onnx'",))
    refused("benchmark", model, "--photo", model, says=("model.tflite: not a JPEG",))
    refused("benchmark", model, "--photo", tmp_path / "none", says=("none: no such file",))
    (tmp_path / "empty").mkdir()
    refused("benchmark", model, "--photo", tmp_path / "empty", says=("there is no photo in this folder",))


def test_bad_results_files(refused: Refused, model: Path, tmp_path: Path) -> None:
    good, bad = saved(tmp_path / "good.json", results()), saved(tmp_path / "bad.json", {"models": 3})
    refused("benchmark", model, "--compare", bad, says=("not a benchmark's results file",))  # before measuring
    refused("benchmark", "--results", bad, says=("not a benchmark's results file",))
    refused("benchmark", "--results", tmp_path / "none.json", says=("none.json: cannot be read",))
    refused("benchmark", model, "--results", good, says=("--results shows earlier results and does not measure",))
    refused("benchmark", "--results", good, "--compare", good, "--factor", 0.5, says=("A factor of 0.5 makes no",))


def test_csv_that_cannot_be_written(refused: Refused, tmp_path: Path) -> None:
    good = saved(tmp_path / "good.json", results())
    refused("benchmark", "--results", good, "--csv", tmp_path / "no" / "out.csv", says=("cannot be written",))


def test_a_device_is_asked_instead(cli: Run, refused: Refused, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def benchmark_on(device: str, models: list[Path], *, progress: object, **brief: Any) -> Benchmark:
        asked.update(device=device, models=models, **brief)
        return results(result(str(models[0])))

    monkeypatch.setitem(sys.modules, "edgeretrain.remote", types.SimpleNamespace(benchmark_on=benchmark_on))
    there = ("--device", "ssh://pi@raspberry")
    ended = cli("benchmark", model, *there, "--threads", "1,4", "--runs", 2, "--seconds", 0, "--no-end-to-end")
    assert "Raspberry Pi 4" in ended.succeeds().out
    brief = {"threads": [1, 4], "runs": 2, "seconds": 0.0, "runtime": None, "xnnpack": True, "end_to_end": False}
    assert asked == {"device": "ssh://pi@raspberry", "models": [model], **brief}
    refused("benchmark", model, *there, "--photo", model, says=("--photo cannot be combined with --device",))


def test_in_a_process_of_its_own(process: Run, model: Path) -> None:
    ended = process("benchmark", model, "--runs", 1, "--seconds", 0, "--quiet", "--no-end-to-end", "--json")
    assert json.loads(ended.succeeds().out)["results"][0]["inference_ms"]["runs"] == 1
