"""Results files: read back, refused, turned into CSV; short names."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.made_up import failure, result, results
from edgeretrain.benchmark import as_csv, compare, read_results
from edgeretrain.benchmark.results import short_names
from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import BenchmarkFailure, BenchmarkResult
from edgeretrain.records.json_form import to_json

BEFORE_SCHEMA = Path(__file__).with_name("before_schema.json")


def written(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def test_what_was_printed_is_read_back(tmp_path: Path) -> None:
    benchmark = results(result(peak_memory_bytes=None, end_to_end_ms=None, warnings=("Wide.",)), failure("b.tflite"))
    assert read_results(written(tmp_path / "r.json", to_json(benchmark))) == benchmark
    comparison = compare(results(result(), failure("b.tflite")), results(failure(), result("b.tflite")))
    compared = replace(benchmark, comparison=comparison)
    assert read_results(written(tmp_path / "r.json", to_json(compared))) == compared


def test_the_keys_of_a_results_file() -> None:
    """Users' scripts rely on them."""
    plain: Any = to_json(results(result(), failure("b.tflite")))
    assert list(plain) == ["schema", "edgeretrain", "protocol", "environment", "warnings", "results"]
    assert list(plain["results"][0]) == [
        *("model", "sha256", "bytes", "weight_bytes", "compressed_bytes", "threads", "runtime", "delegate"),
        *("initialization_ms", "first_inference_ms", "warmup", "inference_ms", "throughput_per_second"),
        *("end_to_end_ms", "end_to_end_note", "peak_memory_bytes", "warnings"),
    ]
    assert plain["results"][1] == {"model": "b.tflite", "threads": 1, "error": "it crashed"}
    assert list(plain["environment"]) == [
        *("machine", "board", "cpu", "architecture", "cores", "cores_present", "os", "kernel", "governors"),
        *("memory_bytes", "emulation", "date", "runtime", "python", "pillow", "photos", "groups"),
        *("busy_before", "busy_by_others", "stolen", "before", "after"),
    ]


def test_a_file_of_before_there_was_a_schema(tmp_path: Path) -> None:
    """What version 0.1.0 printed in November 2026, before its keys became a record's; the machine got another name."""
    old = read_results(BEFORE_SCHEMA)
    assert (old.schema, old.protocol, old.environment.cores) == (1, 1, 2)
    measured, failed = old.results
    assert isinstance(measured, BenchmarkResult) and isinstance(failed, BenchmarkFailure)
    assert {"schema": 1, **json.loads(BEFORE_SCHEMA.read_text("utf-8"))} == to_json(old)


def changed(path: str, value: Any) -> dict[str, Any]:
    """A results file with another value at a path such as `results.0.bytes`; `...` leaves the key out."""
    plain: Any = to_json(results())
    place = plain
    *parents, last = path.split(".")
    for key in parents:
        place = place[int(key) if key.isdecimal() else key]
    if value is ...:
        del place[last]
    else:
        place[int(last) if last.isdecimal() else last] = value
    return dict(plain)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "not JSON"),
        ('{"edgeretrain": "0.1', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([], "not a benchmark's results file"),
        ({"models": [], "edgeretrain": "0.1.0"}, "not a benchmark's results file"),  # a report.json
        (changed("protocol", 2), "protocol 2"),
        (changed("results", []), "damaged (results is empty)"),
        (changed("results", "none"), 'damaged (results must be a list, not "none")'),
        (changed("environment", {}), "damaged (environment.machine is missing)"),
        (changed("warnings", [1]), "damaged (warnings[0] must be text, not 1)"),
        (changed("results.0.bytes", "many"), 'damaged (results[0].bytes must be a whole number, not "many")'),
        (changed("results.0.inference_ms", None), "damaged (results[0].inference_ms must be an object, not null)"),
        (changed("results.0.threads", "1"), "damaged (results[0].threads must be a whole number"),
        (changed("results.0", None), "damaged (results[0] must be an object"),
        (changed("results.0.first_inference_ms", ...), "damaged (results[0].first_inference_ms is missing)"),
        (changed("results.0.inference_ms.p90", float("nan")), "damaged (results[0].inference_ms.p90 must be a number"),
        (changed("results.0", {"model": "a", "threads": 1, "error": 3}), "damaged (results[0].error must be text"),
    ],
)
def test_foreign_and_damaged_files(tmp_path: Path, value: Any, words: str) -> None:
    path = written(tmp_path / "r.json", value)
    with pytest.raises(EdgeretrainError) as caught:
        read_results(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).endswith("`edgeretrain benchmark --json`.")


def test_a_file_of_a_newer_version(tmp_path: Path) -> None:
    read_results(written(tmp_path / "r.json", changed("results.0.watts", 3.1)))  # keys may be added
    with pytest.raises(EdgeretrainError, match=r"a newer edgeretrain wrote it \(schema is 2, .*Update this one"):
        read_results(written(tmp_path / "r.json", changed("schema", 2)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(EdgeretrainError, match="cannot be read"):
            read_results(path)
    (tmp_path / "r.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(EdgeretrainError, match="not JSON"):
        read_results(tmp_path / "r.json")


def test_csv() -> None:
    text = as_csv(results(result(warnings=("One.", 'Two, "2".')), failure("b,c.tflite")))
    one, other = csv.DictReader(io.StringIO(text))
    assert (one["inference_ms.median"], one["warmup.runs"], one["end_to_end_ms.p99"]) == ("10.0", "40", "15.0")
    assert one["warnings"] == 'One. Two, "2".' and one["error"] == ""
    assert (other["model"], other["error"], other["bytes"]) == ("b,c.tflite", "it crashed", "")
    assert one["machine"] == other["machine"] == "Raspberry Pi 4"
    plain = to_json(result())
    flat = {key for key, value in plain.items() if not isinstance(value, dict)} - {"end_to_end_note"}
    nested = {f"{key}.{name}" for key, value in plain.items() if isinstance(value, dict) for name in value}
    assert set(one) == flat | nested | {"error", "machine", "date"}


def test_short_names() -> None:
    paths = ["a/run/x.tflite", "b/run/x.tflite", "y.tflite", "/z/w.tflite"]
    assert list(short_names(paths).values()) != paths
    assert {short_names(paths)[path] for path in paths} == {"a/run/x.tflite", "b/run/x.tflite", "y.tflite", "w.tflite"}
    assert short_names(["x.tflite", "a/x.tflite", "x.tflite"]) == {"x.tflite": "x.tflite", "a/x.tflite": "a/x.tflite"}
