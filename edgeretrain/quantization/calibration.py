"""The photos for calibrating int8 backbones: they give the range of each layer's values."""

import importlib.util
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from edgeretrain.data.pixels import Pixels, load_pixels
from edgeretrain.data.walk import photo_files
from edgeretrain.errors import EdgeretrainError

DEFAULT_COUNT = 56  # more change nothing: benchmarks/calibration.md

# Colour photographs of things and three surfaces, in every scikit-image wheel since 0.22. Licences as stated in the
# docstrings of skimage.data: public domain (astronaut: NASA, rocket: SpaceX) or CC0 (all others).
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "brick.png", "grass.png", "gravel.png")


class CalibrationCard(TypedDict):
    """What a backbone's card says of its calibration: the photos' origin, their number, and the seed of the draw."""

    source: str
    photos: int
    seed: int


@dataclass(frozen=True)
class Calibration:
    """Photos for calibrating int8, each `uint8 [S,S,3]`, and their part of the backbone's card."""

    pixels: Sequence[Pixels]
    card: CalibrationCard


def calibration_from(folder: Path | None, size: int) -> Calibration:
    """The photos of a folder, or the default ones; see `calibration_pixels`."""
    pixels = list(calibration_pixels(folder, size))
    return Calibration(pixels, calibration_card(folder, len(pixels)))


def calibration_pixels(
    folder: Path | None, size: int, *, count: int = DEFAULT_COUNT, seed: int = 0
) -> Iterator[Pixels]:
    """Photos to calibrate on, each `uint8 [size,size,3]` RGB; the same arguments give the same photos.

    Args:
        folder: photos at any depth, `count` of them drawn with the seed, or all if there are fewer. None:
            square crops at several scales from the CC0 and public-domain photographs that ship with scikit-image.

    Raises:
        EdgeretrainError: the folder holds no readable photo; scikit-image is missing.
    """
    if folder is None:
        yield from _crops(size, count, random.Random(seed))
    else:
        yield from _from_folder(folder, size, count, random.Random(seed))


def calibration_card(folder: Path | None, count: int, *, seed: int = 0) -> CalibrationCard:
    """The calibration as the card of an int8 backbone has it. A folder is named without its path."""
    source = (
        f"crops of scikit-image's {', '.join(PHOTOGRAPHS)}" if folder is None else f"folder {folder.resolve().name}"
    )
    return {"source": source, "photos": count, "seed": seed}


def _crops(size: int, count: int, rng: random.Random) -> Iterator[Pixels]:
    """Square crops, a quarter to the whole of the short side, mirrored half of the time, each photograph in turn."""
    from PIL import Image

    folder = _scikit_image_data()
    photographs = [Image.open(folder / name).convert("RGB") for name in PHOTOGRAPHS]
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        side = int(min(photograph.size) * rng.uniform(0.25, 1.0))
        left, top = (rng.randint(0, length - side) for length in photograph.size)
        crop = photograph.resize((size, size), Image.Resampling.BILINEAR, (left, top, left + side, top + side))
        pixels = np.asarray(crop)
        yield pixels[:, ::-1] if rng.random() < 0.5 else pixels


def _scikit_image_data() -> Path:
    """The folder with scikit-image's photographs, found without importing scikit-image."""
    spec = importlib.util.find_spec("skimage")
    for package in spec.submodule_search_locations or () if spec else ():
        folder = Path(package) / "data"
        if all((folder / name).is_file() for name in PHOTOGRAPHS):
            return folder
    raise EdgeretrainError(
        "int8 is calibrated on photographs that come with scikit-image, which is not installed. "
        'Run pip install "edgeretrain[tensorflow]", or give photos of your own with --calibration FOLDER.'
    )


def _from_folder(folder: Path, size: int, count: int, rng: random.Random) -> Iterator[Pixels]:
    """Photos of a folder; unreadable ones are skipped and replaced by others."""
    if not folder.is_dir():
        raise EdgeretrainError(
            f"{folder}: no such folder of calibration photos. Give --calibration a folder of photos."
        )
    paths = sorted(path for path, _ in photo_files(folder))
    rng.shuffle(paths)
    loaded = 0
    for path in paths:
        try:
            pixels = load_pixels(path, size, fit="squash")
        except EdgeretrainError:
            continue
        yield pixels
        loaded += 1
        if loaded == count:
            return
    if loaded == 0:
        raise EdgeretrainError(
            f"{folder}: holds no readable photo to calibrate on. Give --calibration a folder of photos."
        )
