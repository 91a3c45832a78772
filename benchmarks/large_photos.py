"""Photos of the size that phones take, made from small ones: enlarged, with grain. The same bytes every time."""

import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from edgeretrain.demo import make_surfaces

WIDTH, HEIGHT = 4032, 3024  # 12 megapixels
QUALITY = 92  # of JPEG
GRAIN = 6.5  # standard deviation of a pixel's brightness: gives files of about 4 MB
FEWEST = 4  # of a class: a retrain wants 3, one for each set
_ROWS = 336  # that get their grain in one go: a float32 copy of the whole photo would be 146 MB


def make_large_photos(folder: Path, count: int, source: Path | None, workers: int) -> None:
    """Make `count` photos, or as many as there are to make them of, in class folders.

    Args:
        folder: is taken as it is when it is there.
        source: class folders of JPEG photos; of each class every n-th one is taken. None: the surfaces of
            `edgeretrain demo`, cut from scikit-image's photographs.
        workers: processes. The photos are made in processes of their own, also with one: the memory that it takes must
            not count for this one, whose peak is the least that Linux tells of any process it starts.
    """
    if folder.is_dir():
        return
    with tempfile.TemporaryDirectory() as scratch:
        small = _chosen(source or make_surfaces(Path(scratch) / "surfaces"), count)
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        large = [unfinished / path.parent.name / f"{path.stem}.jpg" for path in small]
        for path in large:
            path.parent.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
            list(pool.map(_enlarge, small, large, range(len(small))))
    unfinished.rename(folder)


def add_copies(photos: Path, folder: Path, times: int) -> None:
    """Write every photo `times` times into `folder`: the same pixels, but other bytes, so that each one is new.

    What follows a JPEG's end marker is no part of the picture.
    """
    for path in sorted(photos.glob("*/*.jpg")):
        for number in range(times):
            copy = folder / path.parent.name / f"{path.stem}-{number}.jpg"
            copy.parent.mkdir(parents=True, exist_ok=True)
            with copy.open("wb") as file:
                file.write(path.read_bytes())
                file.write(os.fsencode(f"copy {number}"))


def _chosen(source: Path, count: int) -> list[Path]:
    """Equally many photos of every class, spread over its names; of two classes at least, of all where that does."""
    classes = [sorted(folder.glob("*.[jp][pn]g")) for folder in sorted(source.iterdir()) if folder.is_dir()]
    classes = classes[: max(2, min(len(classes), count // FEWEST))]
    each = max(FEWEST, count // len(classes))
    chosen = [paths[:: max(1, len(paths) // each)][:each] for paths in classes]
    return [path for paths in chosen for path in paths]


def _enlarge(small: Path, large: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    with Image.open(small) as opened:
        photo = ImageOps.fit(opened.convert("RGB"), (WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    pixels = np.array(photo)
    for top in range(0, HEIGHT, _ROWS):
        rows = pixels[top : top + _ROWS]
        grain = GRAIN * random.standard_normal((*rows.shape[:2], 1), np.float32)  # of brightness, as a sensor's is
        rows[:] = np.clip(rows + grain, 0, 255)
    Image.fromarray(pixels).save(large, quality=QUALITY)
