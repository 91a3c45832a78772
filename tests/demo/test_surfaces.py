import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgeretrain.data.photos import FEW_PHOTOS, Photo, find_photos
from edgeretrain.data.split import split_photos
from edgeretrain.demo import make_surfaces
from edgeretrain.demo.surfaces import GAP, LABELS, REGIONS_ACROSS, SOURCE_FILE, TILES, _paths, tile_box
from edgeretrain.errors import EdgeretrainError

Box = tuple[int, int, int, int]


@pytest.fixture(scope="module")
def surfaces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_surfaces(tmp_path_factory.mktemp("demo") / "photos")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def box_of(photo: Photo) -> Box:
    """From the name alone: label_row_column_nohash_tile.png"""
    label, row, column, _, tile = photo.path.stem.split("_")
    return tile_box(label, int(row), int(column), int(tile))


def distance(one: Box, other: Box) -> int:
    """Pixels between two boxes, along the axis where they are further apart; negative when they overlap."""
    horizontal = max(one[0], other[0]) - min(one[2], other[2])
    vertical = max(one[1], other[1]) - min(one[3], other[3])
    return max(horizontal, vertical)


def test_every_set_has_every_class_and_no_warning(surfaces: Path) -> None:
    found = find_photos(surfaces, strict=True)
    assert found.labels == LABELS == ("brick", "grass", "gravel")
    assert len(found.photos) == len(LABELS) * REGIONS_ACROSS**2 * TILES
    assert found.warnings == ()
    assert len(found.photos) / len(LABELS) > 2 * FEW_PHOTOS
    split = split_photos(found)
    for photos in (split.validation, split.testing):
        for label in LABELS:  # several by the hash itself, not the one that the split sees to
            assert sum(photo.label == label for photo in photos) >= 3 * TILES


@pytest.mark.parametrize("percentages", [(10, 10), (20, 20)])
def test_no_set_shows_ground_that_another_set_shows(surfaces: Path, percentages: tuple[int, int]) -> None:
    split = split_photos(find_photos(surfaces), validation_percentage=percentages[0], testing_percentage=percentages[1])
    sets = (split.training, split.validation, split.testing)
    compared = 0
    for label in LABELS:
        boxes = [[box_of(photo) for photo in photos if photo.label == label] for photos in sets]
        for first, second in ((0, 1), (0, 2), (1, 2)):
            for box in boxes[first]:
                for other in boxes[second]:
                    assert distance(box, other) >= GAP
                    compared += 1
    assert compared > 500


def test_tiles_are_cut_where_tile_box_says(surfaces: Path) -> None:
    """Else the test above proves nothing: each tile, turned back, looks like its box, and no other box like it."""
    for label in LABELS:
        with Image.open(_paths()[label]) as photograph:
            assert photograph.size == (512, 512)
            gray = photograph.convert("L")
        found = [photo for photo in find_photos(surfaces).photos if photo.label == label]
        for index, photo in enumerate(found):
            with Image.open(photo.path) as image:
                assert (image.format, image.mode, image.size) == ("PNG", "L", (128, 128))
                tile = np.asarray(image, np.float64)

            def likeness(box: Box, tile: np.ndarray = tile, gray: Image.Image = gray) -> float:
                cut = np.asarray(gray.crop(box).resize((128, 128), Image.Resampling.BICUBIC), np.float64)
                return max(float(np.corrcoef(np.rot90(cut, turn).ravel(), tile.ravel())[0, 1]) for turn in range(4))

            assert likeness(box_of(photo)) > 0.97
            if label != "brick":  # plain brick looks like plain brick
                assert likeness(box_of(found[index - 1])) < 0.9


def test_regions_lie_in_the_photograph_apart_from_each_other() -> None:
    for label in LABELS:
        regions: defaultdict[tuple[int, int], list[Box]] = defaultdict(list)
        for row in range(REGIONS_ACROSS):
            for column in range(REGIONS_ACROSS):
                regions[row, column] = [tile_box(label, row, column, tile) for tile in range(TILES)]
        for own, boxes in regions.items():
            for box in boxes:
                assert box[2] - box[0] == box[3] - box[1] >= 20
                assert min(box) >= 0
                assert max(box) <= 512
                for others, theirs in regions.items():
                    assert others == own or all(distance(box, other) >= GAP for other in theirs)


def test_the_same_bytes_wherever_it_is_made(surfaces: Path, tmp_path: Path) -> None:
    assert contents(make_surfaces(tmp_path / "elsewhere" / "deep")) == contents(surfaces)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["deep"]


def test_progress_ends_at_the_number_of_tiles(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    make_surfaces(tmp_path / "photos", progress=lambda *step: seen.append(step))
    assert seen == [("Cutting surfaces", done, 150) for done in range(1, 151)]


def test_a_complete_set_is_reused_even_without_scikit_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_surfaces(tmp_path / "photos")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    monkeypatch.setitem(sys.modules, "skimage", None)
    assert make_surfaces(folder) == folder
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("gone", ["grass/grass_2_3_nohash_1.png", SOURCE_FILE])
def test_an_incomplete_set_is_left_alone(tmp_path: Path, gone: str) -> None:
    folder = make_surfaces(tmp_path / "photos")
    (folder / gone).unlink()
    before = contents(folder)
    with pytest.raises(EdgeretrainError, match=r"photos: holds other files, or not all of these photos.* Remove it"):
        make_surfaces(folder)
    assert contents(folder) == before


def test_an_empty_folder_is_filled_and_a_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert len(find_photos(make_surfaces(tmp_path / "empty")).photos) == 150
    (tmp_path / "file").write_text("mine")
    with pytest.raises(EdgeretrainError, match="file: is a file"):
        make_surfaces(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_interrupted_half_way_it_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(step: str, done: int, total: int) -> None:
        if done == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_surfaces(tmp_path / "photos", progress=interrupt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["not installed", "without its photographs"])
def test_without_scikit_image_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "not installed":
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    else:
        (tmp_path / "lib" / "skimage" / "data").mkdir(parents=True)
        (tmp_path / "lib" / "skimage" / "__init__.py").touch()
        monkeypatch.delitem(sys.modules, "skimage", raising=False)
        monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    with pytest.raises(EdgeretrainError, match=r'pip install "edgeretrain\[demo\]"'):
        make_surfaces(tmp_path / "photos")
    assert not (tmp_path / "photos").exists()
