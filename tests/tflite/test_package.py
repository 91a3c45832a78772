"""Labels and card come back as they were, and damage anywhere in the file is noticed."""

import json
import random
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from support.garden import Run

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.package import CARD_MEMBER, LABELS_MEMBER, has_card, labels_text, pack, read_package

FLATBUFFER = b"\x1c\0\0\0TFL3" + bytes(range(200))
LABELS = ("a", "Größe 🌹, 2. Wahl", "  spaces  ", "semi;colon\t'\"")
CARD = {"fit": "squash", "head": {"l2": 0.01}, "preset": "Ü"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(FLATBUFFER, LABELS, CARD))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(EdgeretrainError) as caught:
        read_package(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


def test_labels_and_card_come_back(path: Path) -> None:
    package = read_package(path)
    assert package.labels == LABELS
    assert {key: package.card[key] for key in CARD} == CARD
    assert path.read_bytes().startswith(FLATBUFFER)
    assert has_card(path)


def test_the_archive_has_no_date_and_no_compression(path: Path) -> None:
    assert pack(FLATBUFFER, LABELS, CARD) == path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == [LABELS_MEMBER, CARD_MEMBER]
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.read(LABELS_MEMBER).decode() == labels_text(LABELS) == "\n".join([*LABELS, ""])
        assert json.loads(archive.read(CARD_MEMBER))["head"] == {"l2": 0.01}


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip here")
def test_unzip_gives_files_that_can_be_read(path: Path, tmp_path: Path) -> None:
    subprocess.run(["unzip", "-q", str(path), "-d", str(tmp_path / "out")], capture_output=True)
    assert (tmp_path / "out" / LABELS_MEMBER).read_bytes() == labels_text(LABELS).encode()
    assert (tmp_path / "out" / LABELS_MEMBER).stat().st_mode & 0o600 == 0o600


def test_every_byte_of_the_flatbuffer_is_covered(path: Path) -> None:
    good = path.read_bytes()
    for position in range(len(FLATBUFFER)):
        damaged = bytearray(good)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        assert "checksum differs" in refusal(path)


def test_damage_to_the_archive_never_gives_other_labels(path: Path) -> None:
    """At every byte: the same package, or an error, or (the card's name is damaged) a file that is not ours."""
    good, expected = path.read_bytes(), read_package(path)
    refused = foreign = 0
    for position in range(len(FLATBUFFER), len(good)):
        for flip in (0x08, 0xFF):
            damaged = bytearray(good)
            damaged[position] ^= flip
            path.write_bytes(damaged)
            try:
                package = read_package(path)
            except EdgeretrainError:
                refused += 1
                continue
            assert package.labels == expected.labels
            if package != expected:
                assert package.card == {}
                foreign += 1
    assert refused > 2 * foreign > 0


def test_a_real_model_is_refused_wherever_it_is_damaged(run: Run, tmp_path: Path) -> None:
    good = run.model("int8").read_bytes()
    with zipfile.ZipFile(run.model("int8")) as archive:
        end = archive.infolist()[0].header_offset
    path = tmp_path / "model.tflite"
    rng = random.Random(2)
    for position in rng.sample(range(end), 50):
        damaged = bytearray(good)
        damaged[position] ^= rng.randrange(1, 256)
        path.write_bytes(damaged)
        assert "damaged" in refusal(path)


def test_a_file_that_was_cut_off(path: Path) -> None:
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        refusal(path)
    path.write_bytes(good[: len(FLATBUFFER)])
    assert "there are no labels inside this file" in refusal(path)
    assert not has_card(path)


def test_a_card_that_is_no_object(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(FLATBUFFER)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(LABELS_MEMBER, "a\nb\n")
        archive.writestr(CARD_MEMBER, "[1]")
    assert "damaged" in refusal(path)


def test_a_card_without_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(FLATBUFFER)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(LABELS_MEMBER, "a\nb\n")
        archive.writestr(CARD_MEMBER, "{}")
    assert "damaged" in refusal(path)


def test_no_such_file_and_a_folder(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in refusal(tmp_path / "none.tflite")
    assert "cannot be read" in refusal(tmp_path)


# Other makers' files


@pytest.mark.parametrize("text", ["a\nb\n", "a\r\nb\r\n", "a\nb"])
def test_labels_of_another_maker(tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(FLATBUFFER)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("notes.md", "x")
        archive.writestr("labelmap.txt", text)
    package = read_package(path)
    assert (package.labels, package.card) == (("a", "b"), {})
    assert not has_card(path)


def test_a_file_without_labels(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(FLATBUFFER)
    assert "there are no labels inside this file" in refusal(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("vocabulary.bin", "x")
    assert "there are no labels inside this file" in refusal(path)


def test_labels_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(FLATBUFFER)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", b"\xff\xfe\n")
    assert "damaged" in refusal(path)
