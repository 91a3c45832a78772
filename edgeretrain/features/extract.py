"""Photos x backbones -> bottlenecks: each photo opened and decoded once for all of them, through a cache on disk."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import PIL

from edgeretrain.backbone import Backbone
from edgeretrain.backbone.presets import BUILDABLE, DEFAULT_PRESET
from edgeretrain.data.photos import Photo, PhotoFile, Skipped, sorted_photos, sorted_skipped
from edgeretrain.data.pixel_store import PixelStore
from edgeretrain.data.pixels import PIXELS_VERSION, Fit
from edgeretrain.errors import EdgeretrainError
from edgeretrain.features.cache import BottleneckCache
from edgeretrain.features.inference import (
    Model,
    ModelFailure,
    NetworkOutput,
    PixelSource,
    Plan,
    ReadPhoto,
    SkippedPhoto,
    run_photos,
)
from edgeretrain.head.softmax import Floats
from edgeretrain.progress import Progress, silent
from edgeretrain.tflite.runtime import Network, Runtime, load_runtime

STEP = "Bottlenecks"

_FIXED_COST = 40.0
"""What a photo costs besides its inferences, in millions of multiply-adds of inference: for the progress only.

Measured on 1,000 flower_photos of 240 pixels: 1.8 s for mobilenet_v1_025_128 (14 M), 12 s for mobilenet_v2_100_224.
"""


@dataclass(frozen=True)
class Column:
    """One kind of bottleneck: what a backbone makes of photos as they are or, with `flip`, mirrored left to right."""

    backbone: Backbone
    flip: bool = False

    def __hash__(self) -> int:  # a backbone's card is a dict
        return hash((self.backbone.path, self.flip))


@dataclass(frozen=True)
class Extraction:
    """What became of the photos of a pass.

    Attributes:
        photos: those that can be read and decoded, sorted by name.
        undecodable: photos with a sound header that cannot be decoded, sorted by name.
        skipped: the reasons for these and for what is no photo at all, sorted by name.
        failures: columns whose backbone does not load or run, and why.
    """

    photos: tuple[Photo, ...]
    undecodable: tuple[Photo, ...]
    skipped: tuple[Skipped, ...]
    failures: Mapping[Column, Exception]


@dataclass(frozen=True)
class Extractor:
    """Makes bottlenecks; those that were made before come from the cache.

    Attributes:
        fit: how a photo is made square.
        cache: folder of the bottleneck cache.
        workers: threads; default one per core.
        decoded: pixels that need not be decoded again.
    """

    fit: Fit
    cache: Path
    runtime: Runtime = field(default_factory=load_runtime)
    workers: int | None = None
    progress: Progress = silent
    decoded: PixelSource | None = None

    def extract(
        self,
        files: Sequence[PhotoFile | Photo],
        columns: Sequence[Column],
        *,
        wanted: Callable[[Photo, Column], bool] = lambda photo, column: True,
        store: PixelStore | None = None,
        stored: Callable[[Photo], bool] = lambda photo: True,
        tolerant: bool = False,
    ) -> Extraction:
        """Fill the cache with the bottlenecks of photos, in one pass over the photos for all columns.

        Each photo is opened once, and decoded once for each of the scales that its sizes ask for if anything of it is
        missing. Byte-identical photos are decoded once.

        Args:
            files: photos; one that is a `Photo` is not even opened when nothing of it is missing.
            wanted: whether a photo is needed in a column.
            store: where pixels are kept, at the size of each backbone.
            stored: of which photos.
            tolerant: go on with the other columns when a backbone does not load or run.

        Raises:
            EdgeretrainError: the cache folder cannot be written; a `Photo` is no longer the file that was found; a
                backbone does not load or run.
        """
        digests: dict[int, str] = {}
        photos: list[Photo] = []
        undecodable: dict[str, str] = {}
        no_photos: list[Skipped] = []
        failures: dict[Column, Exception] = {}
        meter = _Meter(self.progress, len(files), columns)
        with contextlib.ExitStack() as stack:
            caches = [stack.enter_context(self._cache(column)) for column in columns]
            models = [Model(column.backbone.path, self._size(column.backbone), column.flip) for column in columns]
            keep = tuple(sorted({model.size for model in models})) if store else ()
            outcomes = run_photos(
                files,
                models,
                fit=self.fit,
                plan=_Planner(columns, caches, wanted, lambda photo: keep if stored(photo) else ()),
                decoded=self.decoded,
                workers=self.workers,
                runtime=self.runtime,
            )
            stack.enter_context(contextlib.closing(outcomes))
            for outcome in outcomes:
                match outcome:
                    case NetworkOutput(index, model, vector):
                        caches[model].add(digests[index], vector)
                        meter.ran(model)
                    case ReadPhoto(index, photo, runs, kept):
                        photos.append(photo)
                        digests[index] = photo.digest
                        for pixels in kept.values():
                            if store:
                                store.add(photo.digest, pixels)
                        meter.read(runs)
                    case SkippedPhoto(index, reason, None):
                        no_photos.append(Skipped(files[index].name, reason))
                        meter.read(())
                    case SkippedPhoto(index, reason, str(digest)):
                        undecodable[digest] = reason
                        file = files[index]
                        photos.append(Photo(file.path, file.name, file.label, digest))
                        meter.read(())
                    case ModelFailure(model, error):
                        if not tolerant:
                            raise error
                        failures[columns[model]] = error
        bad = [photo for photo in photos if photo.digest in undecodable]
        return Extraction(
            sorted_photos(photo for photo in photos if photo.digest not in undecodable),
            sorted_photos(bad),
            sorted_skipped([*no_photos, *(Skipped(photo.name, undecodable[photo.digest]) for photo in bad)]),
            failures,
        )

    def features(self, photos: Sequence[Photo], column: Column) -> Floats:
        """The bottlenecks of photos, from the cache; those that are missing there are made now.

        Returns:
            float32 `[n, d]`, a row per photo.

        Raises:
            EdgeretrainError: as `extract`; a photo can no longer be decoded.
        """
        values, missing = self._read(photos, column)
        if missing:
            require_all(self.extract(missing, [column]).skipped)
            values, missing = self._read(photos, column)
            if missing:
                raise EdgeretrainError(
                    f"{self.cache}: the bottleneck cache does not keep what is written to it. Point EDGERETRAIN_CACHE "
                    "to another folder."
                )
        if values is None:
            values = np.empty((0, Network(column.backbone.path, runtime=self.runtime).outputs), np.float32)
        return values

    def _read(self, photos: Sequence[Photo], column: Column) -> tuple[Floats | None, list[Photo]]:
        rows: dict[str, list[int]] = {}
        for row, photo in enumerate(photos):
            rows.setdefault(photo.digest, []).append(row)
        values: Floats | None = None
        known = set()
        with self._cache(column) as cache:
            for digest, vector in cache.read(rows):
                if values is None:
                    values = np.zeros((len(photos), vector.size), np.float32)
                values[rows[digest]] = vector
                known.add(digest)
        return values, [photo for photo in photos if photo.digest not in known]

    def _cache(self, column: Column) -> BottleneckCache:
        # Another version of the runtime rounds quantized operators differently, another Pillow decodes JPEG
        # differently.
        maker = f"{column.backbone.digest} {self.runtime} Pillow {PIL.__version__}"
        flipped = " flipped" if column.flip else ""
        return BottleneckCache(self.cache, f"{maker} pixels {PIXELS_VERSION} {self.fit}{flipped}")

    def _size(self, backbone: Backbone) -> int:
        return backbone.size or Network(backbone.path, runtime=self.runtime).size


class _Planner:
    """Decides in the threads what is missing of a photo."""

    def __init__(
        self,
        columns: Sequence[Column],
        caches: Sequence[BottleneckCache],
        wanted: Callable[[Photo, Column], bool],
        keep: Callable[[Photo], tuple[int, ...]],
    ) -> None:
        self._columns = columns
        self._caches = caches
        self._wanted = wanted
        self._keep = keep
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, photo: Photo) -> Plan:
        with self._lock:
            if photo.digest in self._seen:
                return Plan()
            self._seen.add(photo.digest)
        runs = tuple(
            index
            for index, (column, cache) in enumerate(zip(self._columns, self._caches, strict=True))
            if self._wanted(photo, column) and not cache.contains(photo.digest)
        )
        return Plan(runs, self._keep(photo))


class _Meter:
    """Tells the progress in photos, of which one is done when its part of the whole work is."""

    def __init__(self, progress: Progress, photos: int, columns: Sequence[Column]) -> None:
        self._progress = progress
        self._photos = photos
        self._costs = [_macs(column.backbone.preset) for column in columns]
        self._total = photos * (_FIXED_COST + sum(self._costs))
        self._done = 0.0
        self._shown = -1
        self._show(0.0)

    def read(self, runs: Sequence[int]) -> None:
        """A photo was read, and will go through these networks; what the others make of it is there already."""
        self._show(_FIXED_COST + sum(self._costs) - sum(self._costs[model] for model in runs))

    def ran(self, model: int) -> None:
        """A photo went through a network."""
        self._show(self._costs[model])

    def _show(self, cost: float) -> None:
        self._done += cost
        done = min(self._photos, int(self._photos * self._done / self._total + 1e-6)) if self._photos else 0
        if done > self._shown:
            self._shown = done
            self._progress(STEP, done, self._photos)


def _macs(preset: str) -> float:
    """Millions of multiply-adds; of an own backbone nothing is known, it counts as the default one."""
    return BUILDABLE.get(preset, BUILDABLE[DEFAULT_PRESET]).macs


def require_all(skipped: Sequence[Skipped]) -> None:
    """Raise EdgeretrainError for photos that could be read a moment ago and no longer can."""
    if skipped:
        raise EdgeretrainError(f"{skipped[0].name}: this photo changed while edgeretrain was running. Run it again.")
