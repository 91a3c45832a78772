"""A retrain and a sweep on photos as large as phones take them: time, memory, and what scaled decoding changes.

    EDGERETRAIN_PHOTOS=... EDGERETRAIN_WEIGHTS=... python benchmarks/phone_photos.py

Makes 120 photos of 4032 x 3024 (large_photos.py) out of small ones. `--part` chooses what is measured:

- retrain: `edgeretrain retrain --precision all` against the same command of commit 90fd34b, which is taken from git;
  and the processor time of its extraction (photos -> bottlenecks) against that of its parts alone;
- sweep: the same of `edgeretrain sweep`, with all presets that can be had here in four precisions;
- memory: the peak of both, with as many photos and with three times as many;
- agreement: whether the models of the sweep say the same of a photo that was decoded whole and of one at a scale.

Commands run as whole processes with an empty bottleneck cache, one after the other; the sides of a ratio run in turns.
Backbones that are not built yet are built first (needs the `tensorflow` extra) and stay in the user's cache.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from folds import machine, table
from large_photos import add_copies, make_large_photos
from PIL import Image

import edgeretrain
from edgeretrain.backbone import find_backbone, status
from edgeretrain.backbone.presets import DEFAULT_PRESET, PRESETS
from edgeretrain.data.photos import list_photos
from edgeretrain.data.pixels import load_pixels
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.paths import backbone_cache
from edgeretrain.precision import PRECISIONS
from edgeretrain.tflite.quiet import suppress_banner
from edgeretrain.tflite.runtime import load_runtime

PARTS = ("retrain", "sweep", "memory", "agreement")
OLD = "90fd34b"  # decodes every photo whole, and once for each precision
RETRAIN_ASKED, EXTRACTION_ASKED, SWEEP_EXTRACTION_ASKED, PEAK_ASKED, AGREEMENT_ASKED = 0.2, 1.15, 1.3, 450, 99.5
TIMES = 3  # as many photos in the second row of the memory table
HERE = Path(edgeretrain.__file__).resolve().parents[1]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
Tops = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Setting:
    """What is measured, and where.

    Attributes:
        photos: folder of the large photos.
        presets: of the sweep.
        scratch: an empty folder; what is in it is thrown away at the end.
    """

    photos: Path
    presets: tuple[str, ...]
    workers: int
    rounds: int
    scratch: Path

    @property
    def count(self) -> int:
        return len(jpegs(self.photos))


@dataclass(frozen=True)
class Cost:
    """Of one process: seconds by the clock, of the processor on all cores, and the most memory it held, MB (10^6)."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Extraction:
    """Processor seconds for all photos: the parts alone, and the whole."""

    decode: float
    invoke: float
    whole: float

    @property
    def ratio(self) -> float:
        return self.whole / (self.decode + self.invoke)


@dataclass(frozen=True)
class Agreement:
    """Photos at one input size, decoded whole and at a scale.

    Attributes:
        mean, greatest: difference of the pixels, of 255.
        same, decisions: of all models with this input size on all photos.
    """

    size: int
    mean: float
    greatest: int
    models: int
    same: int
    decisions: int


def jpegs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.jpg"))


def apart(function: Callable[_Arguments, _Result], *arguments: _Arguments.args, **named: _Arguments.kwargs) -> _Result:
    """Call a function in a new process.

    Linux counts the peak of a process into that of the processes it starts: this one has to stay small.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(function, *arguments, **named).result()


# Whole processes


def command_cost(arguments: Sequence[str | Path], root: Path, cache: Path) -> Cost:
    """Run a command of the edgeretrain that lies in `root`."""
    command = [sys.executable, "-m", "edgeretrain", *map(str, arguments)]
    environment = {**os.environ, "EDGERETRAIN_CACHE": str(cache), "PYTHONPATH": str(root)}
    with tempfile.TemporaryDirectory() as elsewhere, tempfile.TemporaryFile() as told:
        # Elsewhere: Python would import an edgeretrain that lies in the current folder.
        start = time.perf_counter()
        process = subprocess.Popen(command, env=environment, cwd=elsewhere, stdout=subprocess.DEVNULL, stderr=told)
        _, state, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(state)
        if process.returncode:
            told.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{told.read().decode(errors='replace')}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def retrain_cost(setting: Setting, root: Path = HERE, photos: Path | None = None) -> Cost:
    """Of `edgeretrain retrain --precision all`, its cache empty."""
    arguments: list[str | Path] = [
        "retrain",
        photos or setting.photos,
        "--precision",
        "all",
        "--workers",
        str(setting.workers),
    ]
    with tempfile.TemporaryDirectory(dir=setting.scratch) as folder:
        return command_cost([*arguments, "--quiet", "--out", Path(folder) / "run"], root, Path(folder) / "cache")


def sweep_cost(setting: Setting, photos: Path | None = None, out: Path | None = None) -> Cost:
    """Of `edgeretrain sweep`, four precisions, nothing timed; its cache holds the backbones and nothing else.

    Args:
        out: keep the models there.
    """
    arguments: list[str | Path] = ["sweep", photos or setting.photos, "--precisions", "all", "--no-latency", "--quiet"]
    arguments += ["--presets", ",".join(setting.presets), "--workers", str(setting.workers)]
    with tempfile.TemporaryDirectory(dir=setting.scratch) as folder:
        cache = Path(folder) / "cache"
        cache.mkdir()
        (cache / "backbones").symlink_to(backbone_cache().resolve(), target_is_directory=True)
        return command_cost([*arguments, "--out", out or Path(folder) / "sweep"], HERE, cache)


def old_tree(folder: Path) -> Path:
    """The package and the bundled backbones of commit OLD."""
    archive = folder / "old.tar"
    repository = Path(__file__).resolve().parents[1]
    command = ["git", "-C", str(repository), "archive", "--output", str(archive), OLD, "edgeretrain", "models"]
    if subprocess.run(command).returncode:
        sys.exit(f"Commit {OLD} is not in {repository}: the comparison needs a whole git clone of edgeretrain.")
    shutil.unpack_archive(archive, folder / "old", "tar")
    archive.unlink()
    return folder / "old"


# Extraction against its parts


def extraction(photos: Path, presets: Sequence[str], workers: int) -> Extraction:
    """Processor seconds of photos -> bottlenecks of these presets in four precisions."""
    backbones = [find_backbone(preset, precision, build=False) for preset in presets for precision in PRECISIONS]
    decode, invoke = parts_alone(jpegs(photos), [backbone.path for backbone in backbones], workers)
    with tempfile.TemporaryDirectory() as cache:
        extractor = Extractor("squash", Path(cache), workers=workers)
        start = time.process_time()
        extractor.extract(list_photos(photos).files, [Column(backbone) for backbone in backbones])
        return Extraction(decode, invoke, time.process_time() - start)


def parts_alone(photos: Sequence[Path], models: Sequence[Path], workers: int) -> tuple[float, float]:
    """Processor seconds of decoding and resizing each photo once per input size, and of every model's invoke on it.

    Photo by photo. One thread per worker, with interpreters of its own, which are made before the clock starts.
    """
    every = [[interpreter(model) for model in models] for _ in range(workers)]
    sizes = sorted({input_size(own) for own in every[0]})

    def work(worker: int) -> tuple[float, float]:
        decode = invoke = 0.0
        for photo in photos[worker::workers]:
            start = time.thread_time()
            pixels = {size: load_pixels(photo, size) for size in sizes}
            decode += time.thread_time() - start
            for own in every[worker]:
                feed(own, pixels[input_size(own)])
                start = time.thread_time()
                own.invoke()
                invoke += time.thread_time() - start
        return decode, invoke

    with ThreadPoolExecutor(workers) as pool:
        decode, invoke = np.sum(list(pool.map(work, range(workers))), axis=0)
    return float(decode), float(invoke)


def interpreter(model: Path) -> Any:
    """The runtime's own, on one thread."""
    runtime = load_runtime()
    with suppress_banner(runtime.name):
        made = runtime.interpreter(model_path=str(model), num_threads=1)
        made.allocate_tensors()
    return made


def input_size(own: Any) -> int:
    return int(own.get_input_details()[0]["shape"][1])


def feed(own: Any, pixels: npt.NDArray[np.uint8]) -> None:
    details = own.get_input_details()[0]
    own.set_tensor(details["index"], pixels.astype(details["dtype"], copy=False)[None])


# Agreement of whole and scaled decoding


def agreement(photos: Sequence[Path], models: Sequence[Path], workers: int) -> list[Agreement]:
    """How far pixels differ, and how often the models' first label is the same; one entry per input size."""
    size_of = {model: input_size(interpreter(model)) for model in models}
    sizes = sorted(set(size_of.values()))
    found = []
    with ThreadPoolExecutor(workers) as pool:
        both = list(pool.map(lambda photo: whole_and_scaled(photo, sizes), photos))
        for size in sizes:
            whole, scaled = (np.stack([pair[size][way] for pair in both]) for way in (0, 1))
            differences = np.abs(whole.astype(np.int16) - scaled)
            own = [model for model in models if size_of[model] == size]
            same = sum(
                pool.map(
                    lambda model, one, other: int((tops(model, one) == tops(model, other)).sum()),
                    own,
                    [whole] * len(own),
                    [scaled] * len(own),
                )
            )
            found.append(
                Agreement(size, float(differences.mean()), int(differences.max()), len(own), same, len(own) * len(both))
            )
    return found


def whole_and_scaled(photo: Path, sizes: Sequence[int]) -> dict[int, tuple[npt.NDArray[np.uint8], ...]]:
    """By input size: the photo decoded whole (an array has no scales), and as edgeretrain decodes the file."""
    with Image.open(photo) as opened:
        whole = np.asarray(opened.convert("RGB"))
    return {size: (load_pixels(whole, size), load_pixels(photo, size)) for size in sizes}


def tops(model: Path, photos: npt.NDArray[np.uint8]) -> Tops:
    """The first label of each photo `[n, size, size, 3]`, as an index."""
    own = interpreter(model)
    output = own.get_output_details()[0]["index"]
    found = []
    for pixels in photos:
        feed(own, pixels)
        own.invoke()
        found.append(own.get_tensor(output)[0].argmax())
    return np.array(found, np.int64)


# What is printed


def print_retrain(setting: Setting) -> None:
    old = old_tree(setting.scratch)
    rounds = [(retrain_cost(setting, old), retrain_cost(setting)) for _ in range(setting.rounds)]
    rows = [
        compared("wall time, s", [(before.wall, now.wall) for before, now in rounds], str(RETRAIN_ASKED)),
        compared("processor time, s", [(before.cpu, now.cpu) for before, now in rounds], ""),
        compared("peak memory, MB", [(before.peak, now.peak) for before, now in rounds], ""),
    ]
    header = [f"retrain --precision all, {setting.count} photos", OLD, "this version", "ratio", "asked"]
    print(f"\n{table(header, rows)}", flush=True)
    print_extraction(setting, [DEFAULT_PRESET], EXTRACTION_ASKED)


def compared(what: str, rounds: Sequence[tuple[float, float]], asked: str) -> list[str]:
    before, now = (median(column) for column in zip(*rounds, strict=True))
    return [what, f"{before:.1f}", f"{now:.1f}", f"{median(new / old for old, new in rounds):.3f}", asked]


def print_extraction(setting: Setting, presets: Sequence[str], asked: float) -> None:
    rounds = [apart(extraction, setting.photos, presets, setting.workers) for _ in range(setting.rounds)]
    middle = [median(column) for column in zip(*((one.decode, one.invoke, one.whole) for one in rounds), strict=True)]
    row = [f"{len(presets) * len(PRECISIONS)}", *(f"{1e3 * seconds / setting.count:.1f}" for seconds in middle)]
    header = ["backbones", "decode + resize, ms", "invokes, ms", "extraction, ms", "ratio", "asked"]
    print(f"\n{table(header, [[*row, f'{median(one.ratio for one in rounds):.3f}', str(asked)]])}", flush=True)


def print_sweep(setting: Setting) -> None:
    cost = sweep_cost(setting, out=setting.scratch / "sweep")
    header = ["presets", "models", "wall time, s", "processor time, s", "peak memory, MB"]
    counts = [str(len(setting.presets)), str(len(setting.presets) * len(PRECISIONS))]
    print(f"\n{table(header, [[*counts, f'{cost.wall:.1f}', f'{cost.cpu:.1f}', f'{cost.peak:.0f}']])}", flush=True)
    print_extraction(setting, setting.presets, SWEEP_EXTRACTION_ASKED)


def print_memory(setting: Setting) -> None:
    more = setting.scratch / "more"
    add_copies(setting.photos, more, TIMES)
    rows = []
    for what, cost in (("retrain", retrain_cost), ("sweep", sweep_cost)):
        few, many = (cost(setting, photos=photos).peak for photos in (setting.photos, more))
        growth = 1e3 * (many - few) / (setting.count * (TIMES - 1))
        presets = setting.presets if what == "sweep" else [DEFAULT_PRESET]
        vectors = sum(4 * PRESETS[preset].bottleneck * len(PRECISIONS) for preset in presets) / 1e3
        rows.append([what, f"{few:.0f}", f"{many:.0f}", str(PEAK_ASKED), f"{growth:.0f}", f"{vectors:.0f}"])
    shutil.rmtree(more)
    header = [f"peak, MB, {setting.workers} workers", f"{setting.count} photos", f"{TIMES * setting.count} photos"]
    print(f"\n{table([*header, 'asked below', 'growth, kB a photo', 'its bottlenecks, kB'], rows)}", flush=True)


def print_agreement(setting: Setting) -> None:
    out = setting.scratch / "sweep"
    if not out.exists():
        sweep_cost(setting, out=out)
    models = sorted(out.glob("*/model.*.tflite"))
    rows = []
    found = apart(agreement, jpegs(setting.photos), models, setting.workers)
    for entry in found:
        pixels = [str(entry.size), f"{entry.mean:.2f}", str(entry.greatest)]
        rows.append([*pixels, str(entry.models), *share(entry.same, entry.decisions)])
    everything = share(sum(entry.same for entry in found), sum(entry.decisions for entry in found))
    rows.append(["all", "", "", str(len(models)), *everything])
    header = ["input size", "pixels: mean difference", "greatest", "models", "same top-1", "of", "%", "asked"]
    print(f"\n{table(header, rows)}", flush=True)


def share(same: int, decisions: int) -> list[str]:
    return [str(same), str(decisions), f"{100 * same / decisions:.2f}", str(AGREEMENT_ASKED)]


def presets_here(wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Those of which all four precisions are there, after building what can be built from weights on this machine."""
    chosen = []
    for preset in wanted or PRESETS:
        states = set(status(preset).values())
        if "buildable" in states and states <= {"bundled", "cached", "buildable"}:
            print(f"Building {preset}", file=sys.stderr)
            # In a process of its own: TensorFlow's memory must not count for this one.
            subprocess.run([sys.executable, "-m", "edgeretrain", "backbone", "build", preset, "--quiet"], check=True)
            states = set(status(preset).values())
        if states <= {"bundled", "cached"}:
            chosen.append(preset)
        elif wanted:
            sys.exit(f"{preset}: {', '.join(sorted(states - {'bundled', 'cached'}))}.")
    return tuple(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, nargs="+", default=PARTS, help="default: all")
    parser.add_argument("--photos", type=int, default=120, metavar="N", help="how many; at least 8")
    parser.add_argument("--folder", type=Path, help="keep the large photos there, and take them from there next time")
    parser.add_argument(
        "--source",
        type=Path,
        help="class folders of small photos; default: $EDGERETRAIN_PHOTOS/flower_photos, or scikit-image's",
    )
    parser.add_argument("--presets", nargs="+", help="of the sweep; default: all that can be had here")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    source = arguments.source
    if source is None and "EDGERETRAIN_PHOTOS" in os.environ:
        source = Path(os.environ["EDGERETRAIN_PHOTOS"]) / "flower_photos"
    presets = presets_here(arguments.presets) if set(arguments.part) != {"retrain"} else ()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        photos = (arguments.folder or scratch / "photos").resolve()
        make_large_photos(photos, arguments.photos, source, arguments.workers)
        setting = Setting(photos, presets, arguments.workers, arguments.rounds, scratch)
        megabytes = sum(path.stat().st_size for path in jpegs(photos)) / setting.count / 1e6
        print(f"{apart(machine)}; load {os.getloadavg()[0]:.1f}; {setting.workers} workers; {setting.rounds} rounds")
        print(f"{setting.count} photos of {megabytes:.1f} MB; presets of the sweep: {', '.join(presets) or 'none'}")
        for part, shown in zip(PARTS, (print_retrain, print_sweep, print_memory, print_agreement), strict=True):
            if part in arguments.part:
                shown(setting)


if __name__ == "__main__":
    main()
