"""Data sets that are split already: recognised, used as they are split, or refused with both readings."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from support.garden import jpeg, put

from edgeretrain.data.layout import PhotoSource, open_photos
from edgeretrain.data.photos import PhotoSet
from edgeretrain.data.split import SUBSETS
from edgeretrain.errors import EdgeretrainError

CLASSES = ("apple", "pear", "plum")


def parts(root: Path, names: dict[str, int], classes: tuple[str, ...] = CLASSES, *, inside: bool = True) -> Path:
    """`root/part/class/n.jpg`, or `root/class/part/n.jpg`; every part counts its photos from 0 again."""
    for place, (part, count) in enumerate(names.items()):
        for kind, label in enumerate(classes):
            for number in range(count):
                folders = (part, label) if inside else (label, part)
                put(root.joinpath(*folders, f"{number}.jpg"), jpeg(10_000 * place + 1000 * kind + number))
    return root


def counts(source: PhotoSource) -> dict[str, dict[str, int]]:
    """Photos of each class in each set."""
    split = source.split(source.read(), 10, 10)
    return {place: dict(Counter(photo.label for photo in getattr(split, place))) for place in SUBSETS}


def each(count: int, classes: tuple[str, ...] = CLASSES) -> dict[str, int]:
    return dict.fromkeys(classes, count)


def refusal(root: Path, **options: object) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        open_photos(root, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Recognised


@pytest.mark.parametrize(
    "names",
    [
        ("train", "valid", "test"),
        ("Train", "Val", "Test"),
        ("TRAINING", "VALIDATION", "TESTING"),
        ("training_set", "validation_set", "test_set"),
        ("seg_train", "seg_val", "seg_test"),
        ("train-images", "dev-images", "test-images"),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_three_parts(tmp_path: Path, names: tuple[str, str, str], inside: bool) -> None:
    root = parts(tmp_path, dict(zip(names, (24, 6, 5), strict=True)), inside=inside)
    put(root / "README.roboflow.txt", b"about")
    source = open_photos(root)
    assert source.folder.labels == CLASSES
    assert counts(source) == {"training": each(24), "validation": each(6), "testing": each(5)}
    assert source.notes == (
        f"The photos are split already, and used so: {names[0]}/ (72), {names[1]}/ (18), {names[2]}/ (15).",
    )
    warned = source.with_notes(source.read()).warnings
    assert warned == source.notes


@pytest.mark.parametrize("inside", [True, False])
def test_what_is_missing_is_cut_from_the_training_photos(tmp_path: Path, inside: bool) -> None:
    source = open_photos(parts(tmp_path / "a", {"train": 40, "test": 5}, inside=inside))
    found = counts(source)
    assert found["testing"] == each(5)
    assert sum(found["training"].values()) + sum(found["validation"].values()) == 120
    assert set(found["validation"]) == set(CLASSES) and sum(found["validation"].values()) < 30
    assert source.notes[0].endswith("The validation photos are cut from train/.")
    source = open_photos(parts(tmp_path / "b", {"train": 40, "val": 5}, inside=inside))
    found = counts(source)
    assert found["validation"] == each(5)
    assert sum(found["training"].values()) + sum(found["testing"].values()) == 120
    assert source.notes[0].endswith("The test photos are cut from train/.")


def test_wrapped_folders_and_other_ones(tmp_path: Path) -> None:
    parts(tmp_path / "seg_train", {"seg_train": 20})
    parts(tmp_path / "seg_test", {"seg_test": 5})
    put(tmp_path / "seg_pred" / "seg_pred" / "1.jpg", jpeg(1))
    source = open_photos(tmp_path)
    assert source.folder.labels == CLASSES
    assert source.notes[0].endswith("Not used: seg_pred/.")
    assert counts(source)["testing"] == each(5)


def test_a_part_may_lack_a_class_or_write_it_otherwise(tmp_path: Path) -> None:
    root = parts(tmp_path, {"train": 20, "valid": 5, "test": 5})
    (root / "test" / "apple").rename(root / "test" / "Apple")
    shutil.rmtree(root / "valid" / "pear")
    (root / "valid" / "pear").mkdir()
    source = open_photos(root)
    assert source.folder.labels == CLASSES
    found = counts(source)
    assert found["testing"] == each(5)
    assert found["validation"] == each(5, ("apple", "plum"))
    assert "Validation photos of these classes are missing: pear." in source.with_notes(source.read()).warnings


def test_photos_of_one_name_are_different_photos_and_copies_are_told(tmp_path: Path) -> None:
    root = parts(tmp_path, {"train": 20, "test": 5})
    shutil.copy(root / "train" / "apple" / "3.jpg", root / "test" / "apple" / "copy.jpg")
    source = open_photos(root)
    photo_set: PhotoSet = source.read()
    split = source.split(photo_set, 10, 10)
    assert all(photo.name.startswith("test/") for photo in split.testing)
    assert len(split.testing) == 16
    warnings = source.with_notes(photo_set).warnings
    assert warnings[1].startswith("Test photos that are also among the training photos: 1 (test/apple/copy.jpg, ...)")


# Not recognised


def test_class_folders_are_class_folders(garden: Path) -> None:
    for name in ("train", "test tube", "train station"):
        shutil.copytree(garden / "rose", garden / name)
    source = open_photos(garden)
    assert source.folder.labels == ("rose", "test tube", "train", "train station", "tulip")
    assert not source.pinned and not source.notes


def test_what_is_not_certain_is_refused_with_both_readings(tmp_path: Path) -> None:
    for number in range(9):
        put(tmp_path / "bare" / "train" / f"{number}.jpg", jpeg(number))
        put(tmp_path / "bare" / "test" / f"{number}.jpg", jpeg(100 + number))
    message = refusal(tmp_path / "bare")
    assert "folders called test, train, but 'test' holds no class folders" in message
    assert message.endswith("Say which with --layout split or --layout classes, or give the one that you want alone.")
    assert open_photos(tmp_path / "bare", layout="classes").folder.labels == ("test", "train")

    root = parts(tmp_path / "more", {"train": 9, "test": 3, "extra": 3})
    assert "'extra' holds the same class folders" in refusal(root)
    assert counts(open_photos(root, layout="split"))["testing"] == each(3)
    assert open_photos(root, layout="classes").folder.labels == ("extra", "test", "train")

    root = parts(tmp_path / "twice", {"train": 9, "training": 9, "test": 3})
    assert "'train' and 'training' mean the same" in refusal(root)
    assert counts(open_photos(root, layout="split"))["testing"] == each(3)

    assert "there is none for training" in refusal(parts(tmp_path / "none", {"val": 9, "test": 3}))
    other = parts(tmp_path / "other", {"train": 9})
    parts(other, {"test": 9}, ("x", "y", "apple"))
    assert "their class folders differ" in refusal(other)

    root = parts(tmp_path / "some", {"train": 9, "test": 3}, inside=False)
    put(root / "grape" / "1.jpg", jpeg(7))
    assert "not every class folder holds them: 'grape' does not" in refusal(root)


def test_a_layout_that_is_not_there(garden: Path, tmp_path: Path) -> None:
    assert "--layout split needs two or more folders called train, valid or test" in refusal(garden, layout="split")
    assert "There is no folder" in refusal(tmp_path / "nowhere")
    stranger = parts(tmp_path / "s", {"train": 9, "test": 3})
    put(stranger / "test" / "kiwi" / "1.jpg", jpeg(5))
    assert "the class 'kiwi' has no training photos" in refusal(stranger)


# Sets of the user's own


def test_own_test_and_validation_photos(garden: Path, tmp_path: Path) -> None:
    mine = parts(tmp_path / "rose", {"x": 6}, ("rose", "tulip")) / "x"
    source = open_photos(garden, test=mine)
    source.check_enough(10, 0)
    found = counts(source)
    assert found["testing"] == each(6, ("rose", "tulip"))
    assert sum(found["training"].values()) + sum(found["validation"].values()) == 50
    both = counts(open_photos(garden, test=mine, validation=shutil.copytree(mine, tmp_path / "v")))
    assert both == {
        "training": each(25, ("rose", "tulip")), "validation": each(6, ("rose", "tulip")),
        "testing": each(6, ("rose", "tulip")),
    }  # fmt: skip
    assert len({file.name for file in source.folder.files}) == 62


def test_a_test_set_of_one_class(garden: Path, tmp_path: Path) -> None:
    put(tmp_path / "mine" / "rose" / "r00.jpg", jpeg(9000))
    source = open_photos(garden, test=tmp_path / "mine")
    assert counts(source)["testing"] == {"rose": 1}
    assert "Test photos of these classes are missing: tulip." in source.with_notes(source.read()).warnings


def test_own_sets_that_will_not_do(garden: Path, tmp_path: Path) -> None:
    put(tmp_path / "mine" / "moss" / "1.jpg", jpeg(1))
    assert "the class 'moss' has no training photos" in refusal(garden, test=tmp_path / "mine")
    assert "is among the training photos as well" in refusal(garden, test=garden)
    root = parts(tmp_path / "split", {"train": 9, "test": 3})
    assert "has photos of its own for testing already. Leave --test out" in refusal(root, test=root / "test")
    assert counts(open_photos(root / "train", test=root / "test"))["testing"] == each(3)
