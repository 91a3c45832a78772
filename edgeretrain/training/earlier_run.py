"""An earlier run as `teach` finds it: its models, and what they learnt from."""

from dataclasses import dataclass
from pathlib import Path

from edgeretrain.classifier import read_own_package
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.store import Listing, read_listing
from edgeretrain.files.run_folder import bottleneck_file, model_file
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS, Precision
from edgeretrain.records.json_form import RecordError, from_json, to_json
from edgeretrain.records.training import BackboneRecord, TaughtChanges


@dataclass(frozen=True)
class EarlierCard:
    """What `teach` needs of a model's card; see `records.card`. Cards of older versions may lack some of the rest.

    Attributes:
        preset: name of the backbone.
        backbone: what the model was made of.
        taught: what each teach changed. None: it was not taught yet.
    """

    preset: str
    backbone: BackboneRecord
    taught: tuple[TaughtChanges, ...] | None = None


@dataclass(frozen=True)
class EarlierModel:
    """A model file of an earlier run, its card, and the file of the bottlenecks that it learnt from."""

    path: Path
    precision: Precision
    card: EarlierCard
    bottlenecks: Path
    listing: Listing


@dataclass(frozen=True)
class EarlierRun:
    """Models that learnt from the same photos.

    Attributes:
        folder: where they are.
        models: in the order of `PRECISIONS`.
        listing: of the first; the others list the same photos in the same sets.
        options: of the retrain.
    """

    folder: Path
    models: tuple[EarlierModel, ...]
    listing: Listing
    options: Options


def read_earlier_run(model: Path) -> EarlierRun:
    """All models of a run folder, or the one that the path names.

    Raises:
        EdgeretrainError: there is none, it is not ours or is damaged, or its bottlenecks are missing, damaged or of
            another run.
    """
    if model.is_dir():
        folder, paths = model, [path for name in map(model_file, PRECISIONS) if (path := model / name).is_file()]
        if not paths:
            raise EdgeretrainError(
                f"{model}: holds no model.<precision>.tflite, so it is no run folder. Give the folder that "
                "`edgeretrain retrain` wrote, or a model in it."
            )
    elif model.exists():
        folder, paths = model.parent, [model]
    else:
        raise EdgeretrainError(f"There is no model or run folder {model}. Check the path.")
    models = [_read_model(path) for path in paths]
    first = models[0].listing
    for other in models[1:]:
        listed = (other.listing.photos, other.listing.subsets, other.listing.options)
        if listed != (first.photos, first.subsets, first.options):
            raise _not_of_this_model(
                other.path, other.bottlenecks, f"lists other photos than {models[0].bottlenecks.name}"
            )
    return EarlierRun(folder, tuple(models), first, _options(first.options, models[0].bottlenecks))


def _read_model(path: Path) -> EarlierModel:
    package = read_own_package(path)
    precision = package.card.get("precision")
    if precision not in PRECISIONS or not isinstance(package.card.get("backbone"), dict):
        raise EdgeretrainError(f"{path}: its card is damaged. Copy or make the model again.")
    bottlenecks = path.with_name(bottleneck_file(precision))
    if not bottlenecks.is_file() and "imported" in package.card:
        raise EdgeretrainError(
            f"{path}: was imported, and the old graph kept nothing of its photos, so it cannot be taught. Retrain with "
            "photos of all classes: `edgeretrain retrain PHOTOS`."
        )
    if not bottlenecks.is_file():
        raise EdgeretrainError(
            f"{path}: {bottlenecks.name} is not beside it, and without the bottlenecks of its photos a model cannot "
            "be taught. Copy the whole run folder; if it has no such file, retrain with this version of edgeretrain."
        )
    listing = read_listing(bottlenecks)
    if listing.backbone != package.card["backbone"].get("sha256"):
        raise _not_of_this_model(path, bottlenecks, "comes from another backbone")
    if listing.labels != package.labels:
        raise _not_of_this_model(path, bottlenecks, "has other classes")
    try:
        card = from_json(EarlierCard, package.card)
    except RecordError as problem:
        raise EdgeretrainError(f"{path}: its card is damaged ({problem}). Copy or make the model again.") from None
    return EarlierModel(path, precision, card, bottlenecks, listing)


def _not_of_this_model(path: Path, bottlenecks: Path, why: str) -> EdgeretrainError:
    return EdgeretrainError(
        f"{bottlenecks}: {why}, so it does not belong to {path.name}. Copy the whole run folder again, or retrain."
    )


def _options(plain: dict[str, object], path: Path) -> Options:
    """The options as they stand in a bottleneck file."""
    try:
        options = from_json(Options, plain)
    except RecordError:
        options = None
    if options is not None and plain.items() <= to_json(options).items():  # else there is one more than we know
        held_out = options.validation_percentage, options.testing_percentage
        if min(held_out) >= 0 and sum(held_out) < 100:
            return options
    raise EdgeretrainError(
        f"{path}: holds options that this version of edgeretrain does not know. Use the version that wrote it, or "
        "retrain with this one."
    )
