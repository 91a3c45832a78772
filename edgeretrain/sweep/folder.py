"""The folder of a sweep: a run folder for each preset, the result, the page, the pictures."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.presets import BUILDABLE
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.fingerprint import sha256
from edgeretrain.files.run_folder import REPORT_FILE
from edgeretrain.options import Options
from edgeretrain.version import __version__

RESULT_FILE = "sweep.json"
LATENCY_FILE = "latency.json"
PAGE_FILE = "report.html"
PICTURE_FILES = ("pareto.svg", "pareto.png")

_OURS = {RESULT_FILE, LATENCY_FILE, PAGE_FILE, *PICTURE_FILES, *BUILDABLE}


def check_sweep_folder(out: Path) -> None:
    """Refuse a folder that holds anything else than a sweep; it need not be there.

    Raises:
        EdgeretrainError: something else is there.
    """
    try:
        foreign = sorted(path.name for path in out.iterdir() if not (path.name.startswith(".") or _is_ours(path)))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise EdgeretrainError(f"{out}: is a file, not the folder of a sweep. Choose another --out.") from None
    except OSError as error:
        raise _unusable(out, error) from None
    if foreign:
        raise EdgeretrainError(
            f"{out}: holds {foreign[0]}, which is not part of a sweep, so it is left alone. Choose another --out."
        )


def _is_ours(path: Path) -> bool:
    """Whether a sweep wrote it: the run folder of an own backbone has a report of that name."""
    if path.name in _OURS:
        return True
    report = read_json(path / REPORT_FILE)
    return isinstance(report, dict) and report.get("preset") == path.name


def make_sweep_folder(out: Path) -> None:
    """Make the folder if it is not there.

    Raises:
        EdgeretrainError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(out, error) from None


def _unusable(out: Path, error: OSError) -> EdgeretrainError:
    return EdgeretrainError(f"{out}: cannot be used as the folder of a sweep ({error.strerror}). Choose another --out.")


def finished_run(
    folder: Path, backbones: Sequence[Backbone], *, options: Options, runtime: str
) -> dict[str, Any] | None:
    """The report of a run folder if it is just what a retrain with all this would write of its photos; else None.

    Which photos these were, the report says by their digest.
    """
    report = read_json(folder / REPORT_FILE)
    try:
        same = (
            report["edgeretrain"] == __version__
            and report["runtime"] == runtime
            and report["options"] == json.loads(json.dumps(asdict(options)))
            and isinstance(report["photos"]["digest"], str)
        )
        models = {model["precision"]: model for model in report["models"]}
        for backbone in backbones:
            model = models[backbone.precision]
            same = same and model["backbone"]["sha256"] == backbone.digest
            same = same and sha256(folder / model["file"]) == model["sha256"]
    except (KeyError, TypeError, OSError):
        return None
    return report if same else None


def read_json(path: Path) -> Any:
    """What a JSON file holds; None where there is none or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
