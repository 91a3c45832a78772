"""Our jobs with their results as JSON: tests look at what a user's scripts read."""

from typing import Any

from edgeretrain.records.json_form import from_json, to_json
from edgeretrain.records.sweep import Sweep
from edgeretrain.records.training import Report
from edgeretrain.sweep import sweep as sweep_record
from edgeretrain.training.retrain import retrain as retrain_record
from edgeretrain.training.teach import teach as teach_record


def retrain(*arguments: Any, **options: Any) -> dict[str, Any]:
    """The report of a retrain."""
    return to_json(retrain_record(*arguments, **options))


def teach(*arguments: Any, **options: Any) -> dict[str, Any]:
    """The report of a teach."""
    return to_json(teach_record(*arguments, **options))


def sweep(*arguments: Any, **options: Any) -> dict[str, Any]:
    """What a sweep found out."""
    return to_json(sweep_record(*arguments, **options))


def as_report(plain: dict[str, Any]) -> Report:
    """The record of a report."""
    return from_json(Report, plain)


def as_sweep(plain: dict[str, Any]) -> Sweep:
    """The record of a sweep."""
    return from_json(Sweep, plain)
