"""Photos x backbone -> bottlenecks, through a cache on disk."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL

from edgeretrain.backbone import Backbone
from edgeretrain.data.photos import Photo, Skipped
from edgeretrain.data.pixels import PIXELS_VERSION, Fit
from edgeretrain.errors import EdgeretrainError, UnreadablePhoto
from edgeretrain.features.cache import BottleneckCache
from edgeretrain.features.inference import run_photos
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Network, Runtime, load_runtime


@dataclass(frozen=True)
class Bottlenecks:
    """What a backbone made of photos.

    Attributes:
        values: float32 `[n, d]`, one row per photo asked for; the rows of skipped photos are 0.
        skipped: photos that could not be decoded.
    """

    values: npt.NDArray[np.float32]
    skipped: tuple[Skipped, ...]


def compute_bottlenecks(
    photos: Sequence[Photo],
    backbone: Backbone,
    *,
    fit: Fit,
    flip: bool = False,
    cache: Path,
    workers: int | None = None,
    runtime: Runtime | None = None,
    progress: Progress = silent,
) -> Bottlenecks:
    """The bottlenecks of the photos, from the cache where it has them.

    Args:
        fit: how a photo is made square.
        flip: of the photos mirrored left to right.
        cache: folder of the bottleneck cache.
        workers: threads; default one per core.

    Raises:
        EdgeretrainError: the backbone does not load, the cache folder cannot be written, or a photo changes meanwhile.
    """
    runtime = runtime or load_runtime()
    # Another version of the runtime rounds quantized operators differently, another Pillow decodes JPEG differently.
    maker = f"{backbone.digest} {runtime} Pillow {PIL.__version__}"
    settings = f"{maker} pixels {PIXELS_VERSION} {fit}{' flipped' if flip else ''}"
    with BottleneckCache(cache, settings) as cached:
        first: dict[str, int] = {}  # byte-identical photos are run once
        for index, photo in enumerate(photos):
            first.setdefault(photo.digest, index)
        values: npt.NDArray[np.float32] | None = None
        known = set()
        for digest, vector in cached.read(first):
            if values is None:
                values = np.zeros((len(photos), vector.size), np.float32)
            values[first[digest]] = vector
            known.add(digest)
        if values is None:
            values = np.zeros((len(photos), Network(backbone.path, runtime=runtime).outputs), np.float32)
        missing = [index for digest, index in first.items() if digest not in known]
        unreadable: dict[str, str] = {}
        outcomes = run_photos(
            [photos[index] for index in missing],
            [backbone.path],
            fit=fit,
            flip=flip,
            workers=workers,
            runtime=runtime,
        )
        step = f"Bottlenecks {backbone.preset} {backbone.precision}{' flipped' if flip else ''}"
        done = len(first) - len(missing)
        progress(step, done, len(first))
        with contextlib.closing(outcomes):
            for position, outcome in outcomes:
                photo = photos[missing[position]]
                if isinstance(outcome, UnreadablePhoto):
                    unreadable[photo.digest] = outcome.reason
                else:
                    values[missing[position]] = outcome[0]
                    cached.add(photo.digest, outcome[0])
                done += 1
                progress(step, done, len(first))
    for index, photo in enumerate(photos):
        if first[photo.digest] != index:
            values[index] = values[first[photo.digest]]
    skipped = [Skipped(photo.name, unreadable[photo.digest]) for photo in photos if photo.digest in unreadable]
    return Bottlenecks(values, tuple(skipped))


def require_all(skipped: Sequence[Skipped]) -> None:
    """Raise EdgeretrainError for photos that could be read a moment ago and no longer can."""
    if skipped:
        raise EdgeretrainError(f"{skipped[0].name}: this photo changed while edgeretrain was running. Run it again.")
