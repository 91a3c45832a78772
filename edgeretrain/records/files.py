"""Records as JSON files: where `report.json`, `sweep.json` and `latency.json` are written and read."""

import json
from pathlib import Path
from typing import TypeVar

from edgeretrain.records.json_form import Record, RecordError, from_json, to_json

_R = TypeVar("_R", bound=Record)


def json_text(record: Record) -> str:
    """The text of a record's file."""
    return json.dumps(to_json(record), indent=1, ensure_ascii=False) + "\n"


def read_record(kind: type[_R], path: Path) -> _R | None:
    """The record in a file; None where there is none, or it is damaged or of a newer edgeretrain."""
    try:
        return from_json(kind, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError, RecordError):
        return None
