"""The folder of a sweep: a run folder for each preset, the result, the page, the pictures."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.presets import BUILDABLE
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.fingerprint import sha256
from edgeretrain.files.manifest import MANIFEST_FILE, is_kept, keep_others, list_files, read_manifest
from edgeretrain.files.partial_folder import remove_leftovers
from edgeretrain.files.run_folder import REPORT_FILE
from edgeretrain.options import Options
from edgeretrain.records.files import read_record
from edgeretrain.records.training import Report
from edgeretrain.version import __version__

RESULT_FILE = "sweep.json"
LATENCY_FILE = "latency.json"
PAGE_FILE = "report.html"
PICTURE_FILES = ("pareto.svg", "pareto.png")  # the second is of earlier versions

_OUR_FILES = {RESULT_FILE, LATENCY_FILE, PAGE_FILE, *PICTURE_FILES, MANIFEST_FILE}


def check_sweep_folder(out: Path) -> None:
    """Refuse a folder that holds anything else than a sweep; it need not be there.

    Raises:
        EdgeretrainError: something else is there.
    """
    try:
        names = sorted(path.name for path in out.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise EdgeretrainError(f"{out}: is a file, not the folder of a sweep. Choose another --out.") from None
    except OSError as error:
        raise _unusable(out, error) from None
    is_sweep = read_manifest(out) is not None or _is_result(out / RESULT_FILE)
    for name in names:
        if is_sweep and (name in _OUR_FILES or is_kept(name)):
            continue  # what of these is not as edgeretrain wrote it is kept
        if not _is_run_folder(out / name):
            raise EdgeretrainError(
                f"{out}: holds {name}, which is not part of a sweep, so it is left alone. Choose another --out."
            )


def _is_result(path: Path) -> bool:
    """Whether it is the result of a sweep by a version that wrote no manifest."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(result, dict) and {"edgeretrain", "candidates", "budget", "pick"} <= result.keys()


def _is_run_folder(path: Path) -> bool:
    """Whether it is a preset's run folder, which is checked when it is replaced, or that of an own backbone."""
    if path.name in BUILDABLE:
        return True
    report = read_record(Report, path / REPORT_FILE)
    return report is not None and report.preset == path.name


def make_sweep_folder(out: Path, presets: Iterable[str] = ()) -> None:
    """Make the folder and its manifest if they are not there; remove what killed sweeps left beside run folders.

    Args:
        presets: whose run folders.

    Raises:
        EdgeretrainError: it cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for preset in presets:
            remove_leftovers(out / preset)
        list_files(out, ())
    except OSError as error:
        raise _unusable(out, error) from None


@contextlib.contextmanager
def listed_files(out: Path, names: Iterable[str]) -> Iterator[None]:
    """Write these files of a sweep in the block. What is there of the user's under a name is kept as NAME.kept.

    Raises:
        EdgeretrainError: it cannot be moved, or the manifest not be written.
    """
    names = tuple(names)
    try:
        keep_others(out, names)
        yield
        list_files(out, names)
    except OSError as error:
        raise _unusable(out, error) from None


def _unusable(out: Path, error: OSError) -> EdgeretrainError:
    return EdgeretrainError(f"{out}: cannot be used as the folder of a sweep ({error.strerror}). Choose another --out.")


def finished_run(folder: Path, backbones: Sequence[Backbone], *, options: Options, runtime: str) -> Report | None:
    """The report of a run folder if it is just what a retrain with all this would write of its photos; else None.

    Which photos these were, the report says by their digest.
    """
    report = read_record(Report, folder / REPORT_FILE)
    if report is None or (report.edgeretrain, report.runtime, report.options) != (__version__, runtime, options):
        return None
    models = {model.precision: model for model in report.models}
    for backbone in backbones:
        model = models.get(backbone.precision)
        if (
            model is None
            or model.backbone.sha256 != backbone.digest
            or not _is_whole(folder / model.file, model.sha256)
        ):
            return None
    return report


def _is_whole(path: Path, digest: str) -> bool:
    try:
        return sha256(path) == digest
    except OSError:
        return False
