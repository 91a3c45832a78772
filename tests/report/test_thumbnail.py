import io

import numpy as np
import pytest
from PIL import Image

from edgeretrain.report import Thumbnails, thumbnail


def photo(path, size, colour=(200, 30, 30), **options):
    Image.new("RGB", size, colour).save(path, **options)
    return path


def opened(jpeg):
    return Image.open(io.BytesIO(jpeg))


@pytest.mark.parametrize(
    ("size", "small"),
    [((640, 480), (160, 120)), ((300, 900), (53, 160)), ((20, 20), (160, 160)), ((3000, 2), (160, 1))],
)
def test_long_side_is_160_in_the_photos_own_aspect(tmp_path, size, small):
    made = Thumbnails().of({"a": photo(tmp_path / "a.png", size)}, ["a"])
    assert opened(made["a"]).format == "JPEG"
    assert opened(made["a"]).size == small
    assert np.abs(np.asarray(opened(made["a"])).mean(axis=(0, 1)) - (200, 30, 30)).max() < 4


def test_exif_upright(tmp_path):
    lying = Image.new("RGB", (200, 100), "blue")
    lying.paste("yellow", (0, 0, 100, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left side of the file is the top
    lying.save(tmp_path / "a.jpg", exif=exif, quality=95)
    small = opened(Thumbnails().of({"a": tmp_path / "a.jpg"}, ["a"])["a"])
    assert small.size == (80, 160)
    assert small.getpixel((40, 20))[2] < 60 < 200 < small.getpixel((40, 140))[2]


def test_alpha_lies_on_white(tmp_path):
    Image.new("RGBA", (50, 50), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert opened(Thumbnails().of({"a": tmp_path / "a.png"}, ["a"])["a"]).getpixel((80, 80)) == (255, 255, 255)


def test_same_bytes_twice_and_from_another_folder(tmp_path):
    one = photo(tmp_path / "a.jpg", (333, 222))
    (tmp_path / "moved").mkdir()
    other = tmp_path / "moved" / "b.jpg"
    other.write_bytes(one.read_bytes())
    assert Thumbnails().of({"x": one}, ["x"]) == Thumbnails().of({"x": other}, ["x"])


def test_the_first_names_win_and_repeated_ones_count_once(tmp_path):
    path = photo(tmp_path / "a.png", (8, 8))
    photos = {str(number): path for number in range(300)}
    names = [str(number) for number in reversed(range(300)) for _ in range(2)]
    assert list(Thumbnails().of(photos, names)) == [str(number) for number in range(299, 99, -1)]
    assert list(Thumbnails().of(photos, names, most=2)) == ["299", "298"]


def test_photos_that_cannot_be_read_are_left_out(tmp_path):
    (tmp_path / "empty.jpg").touch()
    photos = {"good": photo(tmp_path / "a.png", (8, 8)), "empty": tmp_path / "empty.jpg", "gone": tmp_path / "gone.jpg"}
    assert list(Thumbnails().of(photos, ["gone", "empty", "unknown", "good"])) == ["good"]


def test_a_photo_is_decoded_once_for_several_pages(tmp_path, monkeypatch):
    decoded = []
    load = thumbnail.load_pixels
    monkeypatch.setattr(thumbnail, "load_pixels", lambda path, size: decoded.append(path) or load(path, size))
    photos = {
        "a": photo(tmp_path / "a.png", (8, 8)),
        "b": photo(tmp_path / "b.png", (8, 8)),
        "gone": tmp_path / "c.png",
    }
    made = Thumbnails()
    first = made.of(photos, ["a", "gone"])
    assert made.of(photos, ["gone", "b", "a"])["a"] == first["a"]
    assert decoded == [tmp_path / "a.png", tmp_path / "c.png", tmp_path / "b.png"]
