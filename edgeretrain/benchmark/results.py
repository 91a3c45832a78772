"""Results as files: the JSON that `edgeretrain benchmark --json` prints, read back, and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any

from edgeretrain.errors import EdgeretrainError

PROTOCOL = 1
"""Raised when the figures of two versions can no longer be compared."""

_AGAIN = "Make one with `edgeretrain benchmark --json`."

_FIGURES = ("median", "mean", "standard_deviation", "min", "max", "p90", "p95", "p99")
_COLUMNS = (
    *("model", "threads", "error", "sha256", "bytes", "weight_bytes", "compressed_bytes", "runtime", "delegate"),
    *("initialization_ms", "first_inference_ms", "warmup.runs", "warmup.mean_ms", "inference_ms.runs"),
    *(f"inference_ms.{figure}" for figure in _FIGURES),
    *("throughput_per_second", "end_to_end_ms.runs"),
    *(f"end_to_end_ms.{figure}" for figure in _FIGURES),
    *("peak_memory_bytes", "warnings", "machine", "date"),
)


def read_results(path: Path) -> dict[str, Any]:
    """What `benchmark` once returned, from its JSON file.

    Raises:
        EdgeretrainError: the file cannot be read, or is no results file, or one of another protocol.
    """
    try:
        results = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}). {_AGAIN}") from None
    except (ValueError, RecursionError):
        raise EdgeretrainError(f"{path}: this is not JSON, or cut off. {_AGAIN}") from None
    if not isinstance(results, dict) or "protocol" not in results or "edgeretrain" not in results:
        raise EdgeretrainError(f"{path}: this is not a benchmark's results file. {_AGAIN}")
    if results["protocol"] != PROTOCOL:
        raise EdgeretrainError(
            f"{path}: it was measured by protocol {results['protocol']}, this edgeretrain measures by protocol "
            f"{PROTOCOL}: the figures cannot be compared. Measure again with `edgeretrain benchmark --json`."
        )
    try:
        whole = bool(results["results"]) and all(map(_is_result, results["results"]))
        names = [results["environment"][key] for key in ("machine", "architecture", "cores", "runtime")]
        whole = whole and all(isinstance(warning, str) for warning in results["warnings"]) and None not in names
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise EdgeretrainError(f"{path}: this results file is damaged. {_AGAIN}")
    return results


def _is_result(result: dict[str, Any]) -> bool:
    known = isinstance(result["model"], str) and isinstance(result["threads"], int)
    if "error" in result:
        return known and isinstance(result["error"], str)
    inference, end_to_end = result["inference_ms"], result["end_to_end_ms"]
    numbers = [result[name] for name in ("bytes", "compressed_bytes", "initialization_ms", "first_inference_ms")]
    numbers += [result["throughput_per_second"] or 0, result["peak_memory_bytes"] or 0]
    numbers += [inference["median"], inference["p90"], 0 if end_to_end is None else end_to_end["median"]]
    return known and all(isinstance(number, (int, float)) and number >= 0 for number in numbers)


def as_csv(results: dict[str, Any]) -> str:
    """One row per result, nested names joined by dots; warnings joined by blanks, what is not known empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    environment = results["environment"]
    for result in results["results"]:
        shown = {**result, "warnings": " ".join(result.get("warnings", []))}
        shown |= {"machine": environment["machine"], "date": environment.get("date")}
        writer.writerow([_value(shown, column) for column in _COLUMNS])
    return text.getvalue()


def _value(result: dict[str, Any], column: str) -> Any:
    value: Any = result
    for name in column.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def short_names(models: Sequence[str]) -> dict[str, str]:
    """The shortest end of each path that only it has: `model.int8.tflite`, or `run1/model.int8.tflite`."""
    different = set(models)
    names = {}
    for model in different:
        parts = PurePath(model).parts
        for count in range(1, len(parts) + 1):
            name = str(PurePath(*parts[-count:]))
            if sum(PurePath(other).parts[-count:] == parts[-count:] for other in different) == 1:
                break
        names[model] = name
    return names
