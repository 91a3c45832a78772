"""Which of the wanted presets and precisions are available here, and why the others are not."""

from collections.abc import Sequence
from fnmatch import fnmatch

from edgeretrain.backbone import Backbone, backbone_name, find_backbones, own_names, status
from edgeretrain.backbone.families import FAMILIES
from edgeretrain.backbone.presets import LOGITS, PRESETS
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.download import NoConnection
from edgeretrain.precision import Precision
from edgeretrain.progress import Progress
from edgeretrain.records.sweep import Stage, SweepFailure

SMALL = tuple(f"{family.name}*" for family in FAMILIES if family.small)
"""What a sweep tries when it is not told which: the presets of the families that are meant for phones and boards."""

_NO_TENSORFLOW = (
    'it is neither bundled nor built yet, and building needs TensorFlow: pip install "edgeretrain[tensorflow]"'
)
_NO_WEIGHTS = "its weights are not on this machine (EDGERETRAIN_WEIGHTS), and their server cannot be reached"


def select_presets(patterns: Sequence[str]) -> list[str]:
    """The presets and own backbones that match any of the patterns, in the order of the table, own ones last.

    A pattern does not match presets whose bottleneck is the class scores: these need their full names.

    Raises:
        EdgeretrainError: a pattern matches nothing.
    """
    own = own_names()
    chosen = set()
    for pattern in patterns:
        if any(letter in pattern for letter in "*?["):
            matching = {name for name in (*PRESETS, *own) if fnmatch(name, pattern.strip().lower())}
            if not matching:
                raise EdgeretrainError(
                    f"No preset matches {pattern!r}. `edgeretrain presets` lists all {len(PRESETS)}."
                )
            chosen |= matching
        else:
            chosen.add(backbone_name(pattern))
    if not chosen:
        raise EdgeretrainError("No presets are given. Use --presets '*' for all.")
    return [name for name in (*PRESETS, *LOGITS, *own) if name in chosen]


def gather_backbones(
    presets: Sequence[str], precisions: Sequence[Precision], *, progress: Progress
) -> tuple[dict[str, list[Backbone]], list[SweepFailure]]:
    """Find or build the backbones of every preset; what is not available is returned as a failure, not raised."""
    found: dict[str, list[Backbone]] = {}
    failed: list[SweepFailure] = []
    offline = False
    for done, preset in enumerate(presets):
        progress("Backbones", done, len(presets))
        states = status(preset)
        missing = [precision for precision in precisions if states[precision] not in ("bundled", "cached")]
        reason = _barrier({states[precision] for precision in missing}, offline)
        backbones: list[Backbone] = []
        if not reason:
            try:
                backbones = find_backbones(preset, precisions, progress=progress)
            except Exception as error:  # a build can fail in ways of TensorFlow's own; the sweep goes on
                unreachable = _caused_by(error, NoConnection)
                offline = offline or unreachable
                reason = _NO_WEIGHTS if unreachable else reason_of(error)
        if reason and 0 < len(missing) < len(precisions):
            present = [precision for precision in precisions if precision not in missing]
            try:
                backbones = find_backbones(preset, present, build=False, progress=progress)
            except EdgeretrainError as error:
                reason = reason_of(error)
        if backbones:
            found[preset] = backbones
        available = {backbone.precision for backbone in backbones}
        lost = [precision for precision in precisions if precision not in available]
        failed += failures(preset, lost, precisions, "backbone", reason)
    progress("Backbones", len(presets), len(presets))
    return found, failed


def _barrier(states: set[str], offline: bool) -> str:
    """Why the missing backbones of a preset cannot be made here; "" when they may be."""
    if "tensorflow missing" in states:
        return _NO_TENSORFLOW
    return _NO_WEIGHTS if offline and "weights missing" in states else ""


def failures(
    preset: str, missing: Sequence[Precision], asked: Sequence[Precision], stage: Stage, reason: str
) -> list[SweepFailure]:
    """One entry for each precision that failed, or a single one when all that were asked for did."""
    which: Sequence[Precision | None] = [None] if len(missing) == len(asked) else missing
    return [SweepFailure(preset=preset, precision=precision, stage=stage, reason=reason) for precision in which]


def reason_of(error: Exception) -> str:
    """What went wrong, in one line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, EdgeretrainError) else f"{type(error).__name__}: {text}".rstrip(": ")


def _caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__
    return False
