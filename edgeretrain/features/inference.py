"""Run photos through networks on all cores; each photo is opened and decoded once, for any number of networks.

Photos go in chunks that fit into memory as pixels. For each chunk, all threads first read and decode its photos, each
at every input size that is asked for; then they run the networks over the pixels. A thread holds one single-threaded
interpreter at a time and keeps it until it runs another network, so memory does not grow with the networks. That
beats one interpreter with many threads: nothing waits, and a result does not depend on how many cores there are.
Pillow and the runtimes release the GIL while they work.
"""

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from edgeretrain.data.photos import Photo, PhotoFile, read_again, read_photo
from edgeretrain.data.pixels import Fit, Pixels, load_pixels_at
from edgeretrain.errors import UnreadablePhoto
from edgeretrain.tflite.runtime import Network, Runtime
from edgeretrain.threads import available_cores

Vector = npt.NDArray[np.float32]

_CHUNK_BYTES = 48 << 20
"""Pixels of photos in memory at once."""
_LONGEST_CHUNK = 512
_BLOCK = 8
"""Photos that a thread runs through a network before it looks for other work."""


@dataclass(frozen=True)
class InferenceModel:
    """A network to run, on photos as they are or mirrored.

    Attributes:
        path: a `.tflite` file.
        size: side of its input, pixels.
        flip: mirror the photos left to right.
    """

    path: Path
    size: int
    flip: bool = False


@dataclass(frozen=True)
class Plan:
    """What to do with a photo.

    Attributes:
        runs: indices of the networks to run it through.
        keep: sizes whose pixels the caller also wants.
    """

    runs: tuple[int, ...] = ()
    keep: tuple[int, ...] = ()


@dataclass(frozen=True)
class ReadPhoto:
    """A photo that was read, and decoded if its plan says so.

    Attributes:
        index: of the photo, among those given.
        runs: the networks whose outputs will follow.
        kept: pixels `uint8 [size, size, 3]` by size, as planned.
    """

    index: int
    photo: Photo
    runs: tuple[int, ...]
    kept: Mapping[int, Pixels]


@dataclass(frozen=True)
class UnusablePhoto:
    """A photo that cannot be read or decoded; the digest is None if not even its header can be read."""

    index: int
    reason: str
    digest: str | None


@dataclass(frozen=True)
class NetworkOutput:
    """A network's output for a photo: float32 `[d]`."""

    index: int
    model: int
    vector: Vector


@dataclass(frozen=True)
class ModelFailure:
    """A network that does not load or run; no more outputs of it follow."""

    model: int
    error: Exception


InferenceOutcome = ReadPhoto | UnusablePhoto | NetworkOutput | ModelFailure
Planner = Callable[[Photo], Plan]
"""Called by the threads, with each photo once its bytes are known."""
PixelSource = Callable[[str, int], Pixels | None]
"""Pixels of a photo that was decoded before, by digest and size."""


def run_photos(
    files: Sequence[PhotoFile | Photo],
    models: Sequence[InferenceModel],
    *,
    fit: Fit,
    plan: Planner | None = None,
    decoded: PixelSource | None = None,
    workers: int | None = None,
    runtime: Runtime | None = None,
) -> Generator[InferenceOutcome, None, None]:
    """Open each photo once, decode it once per scale, and run it through networks.

    Args:
        files: photos; a `Photo` must be unchanged.
        fit: how a photo is made square.
        plan: what to do with each photo; default: run it through all the networks.
        decoded: pixels that need not be decoded again; a `Photo` is not opened if all its pixels are there.
        workers: threads; default one per core.

    Yields:
        For each photo a `ReadPhoto` or an `UnusablePhoto`, then a `NetworkOutput` for each network of its plan; a
        `ModelFailure` for a network that fails, instead of its remaining outputs. The order is undefined, except that
        a photo's outputs follow it.

    Raises:
        EdgeretrainError: a photo has changed.

    Close it (`contextlib.closing`) when leaving it early: that ends the threads.
    """
    if not files:
        return
    everything = Plan(tuple(range(len(models))))
    reader = _Reader(files, models, fit, plan or (lambda _: everything), decoded)
    sides = {model.size for model in models}
    longest = max(1, _CHUNK_BYTES // (3 * sum(side * side for side in sides))) if sides else _LONGEST_CHUNK
    longest = min(longest, _LONGEST_CHUNK)
    failed: set[int] = set()
    with _Team(min(max(1, workers or available_cores()), len(files)), reader, runtime) as team:
        for start in range(0, len(files), longest):
            chunk: list[_Prepared] = []
            for outcome in team.do([_Read(index) for index in range(start, min(start + longest, len(files)))]):
                if isinstance(outcome, _Prepared):
                    chunk.append(outcome)
                    yield ReadPhoto(outcome.index, outcome.photo, outcome.runs, outcome.kept)
                elif isinstance(outcome, UnusablePhoto):
                    yield outcome
            chunk.sort(key=lambda prepared: prepared.index)
            for outcome in team.do(_blocks(chunk, failed, team.count)):
                if isinstance(outcome, ModelFailure):
                    if outcome.model in failed:
                        continue
                    failed.add(outcome.model)
                if isinstance(outcome, NetworkOutput | ModelFailure):
                    yield outcome


@dataclass
class _Read:
    """Work: read and decode a photo."""

    index: int


@dataclass
class _Prepared:
    """A photo whose pixels are in memory."""

    index: int
    photo: Photo
    runs: tuple[int, ...]
    kept: dict[int, Pixels]
    pixels: dict[int, Pixels] = field(default_factory=dict)


@dataclass
class _Block:
    """Work: run photos through a network."""

    model: int
    photos: list[_Prepared]


_Work = _Read | _Block
_Result = _Prepared | UnusablePhoto | NetworkOutput | ModelFailure


def _blocks(chunk: Sequence[_Prepared], failed: Iterable[int], workers: int) -> list[_Work]:
    """Work ordered by network, so that a thread rarely has to load another one."""
    by_model: dict[int, list[_Prepared]] = {}
    for prepared in chunk:
        for model in prepared.runs:
            by_model.setdefault(model, []).append(prepared)
    work: list[_Work] = []
    for model in sorted(by_model.keys() - set(failed)):
        photos = by_model[model]
        length = max(1, min(_BLOCK, -(-len(photos) // workers)))
        work += [_Block(model, photos[start : start + length]) for start in range(0, len(photos), length)]
    return work


@dataclass(frozen=True)
class _Reader:
    """Turns photos into pixels."""

    files: Sequence[PhotoFile | Photo]
    models: Sequence[InferenceModel]
    fit: Fit
    plan: Planner
    decoded: PixelSource | None

    def prepare(self, index: int) -> _Prepared | UnusablePhoto:
        file = self.files[index]
        digest = None
        try:
            if isinstance(file, Photo):
                photo, content, digest = file, None, file.digest
            else:
                photo, content = read_photo(file)
                digest = photo.digest
            plan = self.plan(photo)
            sizes = sorted({*plan.keep, *(self.models[model].size for model in plan.runs)})
            pixels = self._known(photo, sizes)
            missing = [size for size in sizes if size not in pixels]
            if missing:
                pixels |= load_pixels_at(read_again(photo) if content is None else content, missing, self.fit)
        except UnreadablePhoto as error:
            return UnusablePhoto(index, error.reason, digest)
        kept = {size: pixels[size] for size in plan.keep}
        return _Prepared(index, photo, plan.runs, kept, pixels)

    def _known(self, photo: Photo, sizes: Iterable[int]) -> dict[int, Pixels]:
        if self.decoded is None:
            return {}
        known = {size: self.decoded(photo.digest, size) for size in sizes}
        return {size: pixels for size, pixels in known.items() if pixels is not None}


class _Team:
    """Threads that do pieces of work; each keeps the last network that it ran."""

    def __init__(self, count: int, reader: _Reader, runtime: Runtime | None) -> None:
        self.count = count
        self._reader = reader
        self._runtime = runtime
        self._work: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        # Bounded, so that a slow reader of the results slows the threads down instead of filling the memory.
        self._results: queue.Queue[list[_Result] | Exception] = queue.Queue(maxsize=4 * count)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]

    def __enter__(self) -> "_Team":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._stop.set()
        for _thread in self._threads:
            self._work.put(None)
        while any(thread.is_alive() for thread in self._threads):
            try:  # a thread may be waiting for room
                self._results.get(timeout=0.01)
            except queue.Empty:
                continue

    def do(self, work: Sequence[_Work]) -> Generator[_Result, None, None]:
        """Do all of this work; yields the results, in any order."""
        for piece in work:
            self._work.put(piece)
        for _piece in work:
            results = self._results.get()
            if isinstance(results, Exception):
                raise results
            yield from results

    def _run(self) -> None:
        network: tuple[int, Network] | None = None
        while (piece := self._work.get()) is not None:
            if self._stop.is_set():
                continue
            try:
                if isinstance(piece, _Read):
                    self._results.put([self._reader.prepare(piece.index)])
                    continue
                if network is None or network[0] != piece.model:
                    network = None  # freed before the next one is loaded
                    loaded = self._load(piece.model)
                    if isinstance(loaded, ModelFailure):
                        self._results.put([loaded])
                        continue
                    network = piece.model, loaded
                self._results.put(self._outputs(piece, network[1]))
            except Exception as error:  # carried to the caller's thread, which raises it
                self._results.put(error)

    def _load(self, model: int) -> Network | ModelFailure:
        try:
            return Network(self._reader.models[model].path, runtime=self._runtime)
        except Exception as error:
            return ModelFailure(model, error)

    def _outputs(self, block: _Block, network: Network) -> list[_Result]:
        model = self._reader.models[block.model]
        outputs: list[_Result] = []
        for prepared in block.photos:
            pixels = prepared.pixels[model.size]
            try:
                vector = network(np.ascontiguousarray(pixels[:, ::-1]) if model.flip else pixels)
            except Exception as error:
                return [*outputs, ModelFailure(block.model, error)]
            outputs.append(NetworkOutput(prepared.index, block.model, vector))
        return outputs
