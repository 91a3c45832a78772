"""Results as files: the JSON that `edgeretrain benchmark --json` prints, read back, and CSV."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePath

from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import PROTOCOL, Benchmark, BenchmarkResult
from edgeretrain.records.json_form import Json, NewerSchemaError, RecordError, from_json, to_json

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


def read_results(path: Path) -> Benchmark:
    """A benchmark from the JSON file that `edgeretrain benchmark --json` wrote, today or in an earlier version.

    Raises:
        EdgeretrainError: the file cannot be read, or is no results file, or one of another protocol.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}). {_AGAIN}") from None
    except (ValueError, RecursionError):
        raise EdgeretrainError(f"{path}: this is not JSON, or cut off. {_AGAIN}") from None
    if not isinstance(content, dict) or "protocol" not in content or "edgeretrain" not in content:
        raise EdgeretrainError(f"{path}: this is not a benchmark's results file. {_AGAIN}")
    if content["protocol"] != PROTOCOL:
        raise EdgeretrainError(
            f"{path}: it was measured by protocol {content['protocol']}, this edgeretrain measures by protocol "
            f"{PROTOCOL}: the figures cannot be compared. Measure again with `edgeretrain benchmark --json`."
        )
    try:
        benchmark = from_json(Benchmark, content)
    except NewerSchemaError as error:
        raise EdgeretrainError(
            f"{path}: a newer edgeretrain wrote it ({error}). Update this one: pip install --upgrade edgeretrain"
        ) from None
    except RecordError as error:
        raise EdgeretrainError(f"{path}: this results file is damaged ({error}). {_AGAIN}") from None
    if not benchmark.results:
        raise EdgeretrainError(f"{path}: this results file is damaged (results is empty). {_AGAIN}")
    return benchmark


def as_csv(benchmark: Benchmark) -> str:
    """One row per result, nested names joined by dots; warnings joined by blanks, what is not known empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    environment = benchmark.environment
    for result in benchmark.results:
        warnings = result.warnings if isinstance(result, BenchmarkResult) else ()
        cells = {**to_json(result), "warnings": " ".join(warnings)}
        cells |= {"machine": environment.machine, "date": environment.date}
        writer.writerow([_cell(cells, column) for column in _COLUMNS])
    return text.getvalue()


def _cell(cells: dict[str, Json], column: str) -> Json:
    value: Json = cells
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
