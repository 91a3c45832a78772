"""The photos that int8 backbones are calibrated on: what range each layer's values take."""

import importlib.util
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.data.walk import photo_files
from edgeretrain.errors import EdgeretrainError

DEFAULT_COUNT = 56  # more change nothing: benchmarks/calibration.md

# Colour photographs of things and three surfaces, in every scikit-image wheel since 0.22. Licences as stated in the
# docstrings of skimage.data: public domain (astronaut: NASA, rocket: SpaceX) or CC0 (all others).
PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "brick.png", "grass.png", "gravel.png")


@dataclass(frozen=True)
class Calibration:
    """Photos that int8 is calibrated on, each `uint8 [S,S,3]`, and what the backbone's card says of them."""

    pixels: Sequence[npt.NDArray[np.uint8]]
    card: dict[str, Any]


def calibration_from(folder: Path | None, size: int) -> Calibration:
    """The photos of a folder, or the default ones; see `calibration_pixels`."""
    pixels = list(calibration_pixels(folder, size))
    return Calibration(pixels, calibration_card(folder, len(pixels)))


def calibration_pixels(
    folder: Path | None, size: int, *, count: int = DEFAULT_COUNT, seed: int = 0
) -> Iterator[npt.NDArray[np.uint8]]:
    """Photos to calibrate on, each `uint8 [size,size,3]` RGB; the same ones whenever the arguments are the same.

    Args:
        folder: photos at any depth, `count` of them drawn with the seed, or all of them when there are fewer. None:
            square crops at several scales from the CC0 and public-domain photographs that ship with scikit-image.

    Raises:
        EdgeretrainError: the folder holds no readable photo; scikit-image is missing.
    """
    if folder is None:
        yield from _crops(size, count, random.Random(seed))
    else:
        yield from _from_folder(folder, size, count, random.Random(seed))


def calibration_card(folder: Path | None, count: int, *, seed: int = 0) -> dict[str, Any]:
    """What the card of an int8 backbone says about its calibration. A folder is named without the path to it."""
    source = (
        f"crops of scikit-image's {', '.join(PHOTOGRAPHS)}" if folder is None else f"folder {folder.resolve().name}"
    )
    return {"source": source, "photos": count, "seed": seed}


def _crops(size: int, count: int, rng: random.Random) -> Iterator[npt.NDArray[np.uint8]]:
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
        "int8 is calibrated on photographs that ship with scikit-image, which is not installed. "
        'Run pip install "edgeretrain[tensorflow]", or give photos of your own with --calibration FOLDER.'
    )


def _from_folder(folder: Path, size: int, count: int, rng: random.Random) -> Iterator[npt.NDArray[np.uint8]]:
    """Photos of a folder; unreadable ones are passed over, others take their place."""
    from edgeretrain.data.pixels import load_pixels

    if not folder.is_dir():
        raise EdgeretrainError(
            f"{folder}: no such folder of calibration photos. Give --calibration a folder of photos."
        )
    paths = sorted(path for path, _ in photo_files(folder))
    rng.shuffle(paths)
    given = 0
    for path in paths:
        try:
            pixels = load_pixels(path, size, fit="squash")
        except EdgeretrainError:
            continue
        yield pixels
        given += 1
        if given == count:
            return
    if given == 0:
        raise EdgeretrainError(
            f"{folder}: holds no readable photo to calibrate on. Give --calibration a folder of photos."
        )
