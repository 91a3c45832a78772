"""A small photo set that needs no download: ground surfaces, cut from photographs that ship inside scikit-image.

Each photograph is divided into regions with a gap between them, and every tile is cut from within one region. A tile's
name carries its region before `_nohash_`, so the split keeps a region's tiles together: photos that test a model never
show ground that it was trained on.
"""

import importlib.util
import random
from pathlib import Path

from edgeretrain.demo.folder import new_photo_folder
from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress, silent

# CC0, as the docstrings of skimage.data.brick, .grass and .gravel state. The wheel's other photographs are not ground
# surfaces, or too blurred (the table top of coffee.png), or state no licence (moon.png).
LABELS = ("brick", "grass", "gravel")
SOURCE_FILE = "SOURCE.txt"

REGION_SIDE, GAP = 92, 13  # pixels; the photographs are 5 x 92 + 4 x 13 = 512 wide and high
REGIONS_ACROSS = 5
TILES = 2  # a region
# Larger tiles are too easy: a model makes no mistakes. These sometimes show one blade of grass or one stone.
SMALLEST_TILE, LARGEST_TILE = 20, 46
SAVED_SIDE = 128
LIGHT = 0.4  # how far contrast goes up or down, relative, and brightness, in units of 60 gray levels

_SOURCE = f"""\
Ground surfaces for `edgeretrain demo`: {", ".join(LABELS)}.

Cut from skimage.data.brick, .grass and .gravel, photographs that ship inside scikit-image under CC0: Bricks25 and
Gravel04 of CC0Textures, and Grass 01 by linolafett on DeviantArt.

Each photograph is divided into {REGIONS_ACROSS} x {REGIONS_ACROSS} regions of {REGION_SIDE} x {REGION_SIDE} pixels,
{GAP} pixels apart.
From each region come {TILES} tiles, {SMALLEST_TILE} to {LARGEST_TILE} pixels wide, turned by quarters,
enlarged to {SAVED_SIDE} x {SAVED_SIDE}, with contrast and brightness changed.
A name says the row and the column of the region. All tiles of a region fall into one set,
so no test photo shows ground trained on.
"""


def make_surfaces(folder: Path, *, progress: Progress = silent) -> Path:
    """Make the photo set: 3 classes of 50 tiles, gray PNG, 128 x 128. The same bytes every time.

    A complete set from an earlier call is reused.

    Returns:
        `folder`, which holds one sub-folder for each class, and SOURCE.txt.

    Raises:
        EdgeretrainError: scikit-image is missing; the folder cannot be written, or holds other files.
    """
    names = {
        (label, row, column, tile): f"{label}/{label}_{row}_{column}_nohash_{tile}.png"
        for label in LABELS
        for row in range(REGIONS_ACROSS)
        for column in range(REGIONS_ACROSS)
        for tile in range(TILES)
    }
    if _is_complete(folder, list(names.values())):
        return folder
    from PIL import Image

    photographs = {}
    for label, path in _paths().items():
        with Image.open(path) as photograph:
            photographs[label] = photograph.convert("L")
    with new_photo_folder(folder) as temporary:
        for label in LABELS:
            (temporary / label).mkdir()
        for done, ((label, row, column, tile), name) in enumerate(names.items(), start=1):
            rng = random.Random(name)
            cut = photographs[label].crop(tile_box(label, row, column, tile)).rotate(90 * int(4 * rng.random()))
            contrast = 1 + LIGHT * (2 * rng.random() - 1)
            middle = 128 + 60 * LIGHT * (2 * rng.random() - 1)
            shades = [min(255, max(0, round(middle + contrast * (gray - 128)))) for gray in range(256)]
            cut.resize((SAVED_SIDE, SAVED_SIDE), Image.Resampling.BICUBIC).point(shades).save(temporary / name)
            progress("Cutting surfaces", done, len(names))
        (temporary / SOURCE_FILE).write_bytes(_SOURCE.encode())
    return folder


def tile_box(label: str, row: int, column: int, tile: int) -> tuple[int, int, int, int]:
    """Where a tile is cut from: left, top, right, bottom in its photograph, pixels. `row`, `column`: of the region."""
    rng = random.Random(f"{label} {row} {column} {tile}")
    side = SMALLEST_TILE + int(rng.random() * (LARGEST_TILE - SMALLEST_TILE + 1))
    left = column * (REGION_SIDE + GAP) + int(rng.random() * (REGION_SIDE - side + 1))
    top = row * (REGION_SIDE + GAP) + int(rng.random() * (REGION_SIDE - side + 1))
    return left, top, left + side, top + side


def _is_complete(folder: Path, names: list[str]) -> bool:
    """Whether all tiles are there, made by this version."""
    try:
        same_source = (folder / SOURCE_FILE).read_bytes() == _SOURCE.encode()
    except OSError:
        return False
    return same_source and all((folder / name).is_file() for name in names)


def _paths() -> dict[str, Path]:
    """The photographs by label, found without importing scikit-image."""
    spec = importlib.util.find_spec("skimage")
    for package in spec.submodule_search_locations or () if spec else ():
        paths = {label: Path(package) / "data" / f"{label}.png" for label in LABELS}
        if all(path.is_file() for path in paths.values()):
            return paths
    raise EdgeretrainError(
        "The photos of `edgeretrain demo` are cut from photographs that ship with scikit-image, which is not "
        'installed. Run pip install "edgeretrain[demo]".'
    )
