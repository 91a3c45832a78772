"""A network from any source -> backbones under the user's own name."""

from collections.abc import Sequence
from pathlib import Path

from edgeretrain.backbone.artifact import Backbone
from edgeretrain.backbone.build import building_step, write_backbones
from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.backbone.store import check_own_name
from edgeretrain.backbone.tensorflow_extra import require_tensorflow
from edgeretrain.importers.sources import open_source
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress, silent
from edgeretrain.quantization.calibration import calibration_from


def build_from_source(
    name: str,
    source: str,
    precisions: Sequence[Precision],
    *,
    overrides: SourceOverrides,
    calibration: Path | None,
    out: Path,
    progress: Progress = silent,
) -> tuple[list[Backbone], tuple[str, ...]]:
    """Make backbones from any source, `<name>.<precision>.tflite` with cards, in the folder `out`.

    Args:
        name: of the backbone; not a preset's.
        source: see `open_source`.
        overrides: the user's options for the source.
        calibration: a folder of photos for int8; None: the default photographs (see `calibration.py`).

    Returns:
        The backbones, and notes for the user on what was read from the source.

    Raises:
        EdgeretrainError: see `open_source`; TensorFlow is missing; the name cannot be used; no calibration photos; a
            converted file breaks its contract (it is not written then).
    """
    check_own_name(name)
    progress(building_step(name), 0, len(precisions) + 1)
    require_tensorflow()
    opened = open_source(source, overrides, progress=progress)
    photos = calibration_from(calibration, opened.size) if "int8" in precisions else None
    built = write_backbones(name, opened, precisions, calibration=photos, out=out, progress=progress)
    return built, opened.notes
