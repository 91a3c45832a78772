"""Results files: read back, refused, turned into CSV; short names."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.made_up import failure, result, results
from edgeretrain.benchmark import as_csv, read_results
from edgeretrain.benchmark.results import short_names
from edgeretrain.errors import EdgeretrainError


def written(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), "utf-8")
    return path


def test_what_was_printed_is_read_back(tmp_path: Path) -> None:
    one = results(result(peak_memory_bytes=None, end_to_end_ms=None), failure("b.tflite"))
    assert read_results(written(tmp_path / "r.json", one)) == one


def without(key: str) -> dict[str, Any]:
    one = result()
    del one[key]
    return results(one)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "not JSON"),
        ('{"edgeretrain": "0.1', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ([], "not a benchmark's results file"),
        ({"models": [], "edgeretrain": "0.1.0"}, "not a benchmark's results file"),  # a report.json
        ({**results(), "protocol": 2}, "protocol 2"),
        ({**results(), "results": []}, "damaged"),
        ({**results(), "results": "none"}, "damaged"),
        ({**results(), "environment": {}}, "damaged"),
        ({**results(), "warnings": [1]}, "damaged"),
        (results({**result(), "bytes": "many"}), "damaged"),
        (results({**result(), "inference_ms": None}), "damaged"),
        (results({**result(), "threads": "1"}), "damaged"),
        (without("sha256") | {"results": [None]}, "damaged"),
        (without("first_inference_ms"), "damaged"),
        (results(failure(error=3)), "damaged"),  # type: ignore[arg-type]
    ],
)
def test_foreign_and_damaged_files(tmp_path: Path, value: Any, words: str) -> None:
    path = written(tmp_path / "r.json", value)
    with pytest.raises(EdgeretrainError, match=words) as caught:
        read_results(path)
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).endswith("`edgeretrain benchmark --json`.")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(EdgeretrainError, match="cannot be read"):
            read_results(path)
    (tmp_path / "r.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(EdgeretrainError, match="not JSON"):
        read_results(tmp_path / "r.json")


def test_csv() -> None:
    text = as_csv(results(result(warnings=["One.", 'Two, "2".']), failure("b,c.tflite")))
    one, other = csv.DictReader(io.StringIO(text))
    assert (one["inference_ms.median"], one["warmup.runs"], one["end_to_end_ms.p99"]) == ("10.0", "40", "15.0")
    assert one["warnings"] == 'One. Two, "2".' and one["error"] == ""
    assert (other["model"], other["error"], other["bytes"]) == ("b,c.tflite", "it crashed", "")
    assert one["machine"] == other["machine"] == "Raspberry Pi 4"
    flat = {key for key, value in result().items() if not isinstance(value, dict)} - {"end_to_end_note"}
    nested = {f"{key}.{name}" for key, value in result().items() if isinstance(value, dict) for name in value}
    assert set(one) == flat | nested | {"error", "machine", "date"}


def test_short_names() -> None:
    paths = ["a/run/x.tflite", "b/run/x.tflite", "y.tflite", "/z/w.tflite"]
    assert list(short_names(paths).values()) != paths
    assert {short_names(paths)[path] for path in paths} == {"a/run/x.tflite", "b/run/x.tflite", "y.tflite", "w.tflite"}
    assert short_names(["x.tflite", "a/x.tflite", "x.tflite"]) == {"x.tflite": "x.tflite", "a/x.tflite": "a/x.tflite"}
