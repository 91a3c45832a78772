"""What a photo is turned into before it is learnt from."""

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from support.garden import texture

from edgeretrain.fine_tuning.augmentation import Augmentation, apply_augmentation, sample_augmentation

Pixels = npt.NDArray[np.uint8]


@pytest.fixture
def photo() -> Pixels:
    return texture("checks", 1)[:48, :48].copy()


def looks(count: int, strength: float, *, mirror: bool = True) -> list[Augmentation]:
    return [sample_augmentation(np.random.default_rng([7, number]), strength, mirror=mirror) for number in range(count)]


def applied(photo: Pixels, look: Augmentation) -> Pixels:
    return apply_augmentation(photo, photo, look)


def test_strength_0_changes_no_byte(photo: Pixels) -> None:
    for look in looks(50, 0, mirror=False):
        assert np.array_equal(applied(photo, look), photo)


def test_the_same_generator_gives_the_same_look(photo: Pixels) -> None:
    one, other = looks(20, 1), looks(20, 1)
    assert one == other
    assert len(set(one)) == 20
    first, second = (np.stack([applied(photo, look) for look in some]) for some in (one, other))
    assert np.array_equal(first, second)


def test_mirroring_can_be_forbidden_and_changes_nothing_else() -> None:
    free, forbidden = looks(200, 1), looks(200, 1, mirror=False)
    assert not any(look.mirrored for look in forbidden)
    assert 70 < sum(look.mirrored for look in free) < 130
    assert [(look.box, look.brightness, look.contrast) for look in free] == [
        (look.box, look.brightness, look.contrast) for look in forbidden
    ]


@pytest.mark.parametrize("strength", [0.5, 1, 1.5])
def test_looks_stay_within_what_the_strength_allows(strength: float) -> None:
    for look in looks(500, strength):
        left, top, right, bottom = look.box
        assert 0 <= left < right <= 1 + 1e-9
        assert 0 <= top < bottom <= 1 + 1e-9
        width, height = right - left, bottom - top
        assert width * height >= max(0.1, 1 - 0.6 * strength) * np.exp(-strength / 8) ** 2 - 1e-9
        assert abs(np.log(width / height)) <= strength / 4 + 1e-9
        assert abs(look.brightness - 1) <= 0.3 * strength
        assert abs(look.contrast - 1) <= 0.3 * strength


def test_stronger_is_more() -> None:
    def crop(strength: float) -> float:
        boxes = [look.box for look in looks(300, strength)]
        return float(np.mean([(right - left) * (bottom - top) for left, top, right, bottom in boxes]))

    assert crop(0) == 1
    assert crop(0.5) > crop(1) > crop(1.5) > 0.3


def test_mirrored_is_left_for_right(photo: Pixels) -> None:
    assert np.array_equal(applied(photo, Augmentation(mirrored=True)), photo[:, ::-1])


def test_a_crop_is_stretched_over_the_whole_square() -> None:
    photo = np.zeros((40, 40, 3), np.uint8)
    photo[:20, 20:] = 200
    inside = slice(2, -2)  # at the edge of a crop its neighbours shine through
    assert (applied(photo, Augmentation(box=(0.5, 0, 1, 0.5)))[inside, inside] == 200).all()
    assert (applied(photo, Augmentation(box=(0, 0, 0.5, 0.5)))[inside, inside] == 0).all()


def test_a_crop_is_cut_from_the_detailed_photo_and_is_as_sharp() -> None:
    detailed = texture("checks", 1)[:48, :48]
    photo = np.asarray(Image.fromarray(detailed).resize((24, 24), Image.Resampling.BOX))
    quarter = Augmentation(box=(0.5, 0, 1, 0.5))
    sharp = apply_augmentation(photo, detailed, quarter)
    assert sharp.shape == photo.shape
    assert np.abs(sharp.astype(int) - detailed[:24, 24:]).mean() < 1
    assert np.abs(applied(photo, quarter).astype(int) - detailed[:24, 24:]).mean() > 5
    assert np.array_equal(apply_augmentation(photo, detailed, Augmentation()), photo)


def test_brightness_and_contrast(photo: Pixels) -> None:
    gray = np.full((8, 8, 3), 100, np.uint8)
    assert (applied(gray, Augmentation(brightness=1.2)) == 120).all()
    assert (applied(gray, Augmentation(contrast=1.5)) == 100).all()
    flat = photo // 4 + 96  # nothing is clipped
    wider = applied(flat, Augmentation(contrast=1.2)).astype(float)
    assert wider.mean() == pytest.approx(flat.mean(), abs=0.5)
    assert wider.std() == pytest.approx(1.2 * flat.std(), rel=0.02)


def test_what_is_too_bright_is_white(photo: Pixels) -> None:
    assert applied(np.full((4, 4, 3), 250, np.uint8), Augmentation(brightness=1.2)).min() == 255


def test_the_photo_itself_is_left_alone(photo: Pixels) -> None:
    before = photo.copy()
    for look in looks(20, 1.5):
        made = applied(photo, look)
        assert made.dtype == np.uint8
        assert made.shape == photo.shape
    assert np.array_equal(photo, before)
