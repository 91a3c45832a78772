"""Archives that claim to be Keras files, without TensorFlow."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.keras_archive import copy_checked

PLAIN = {"class_name": "Sequential", "module": "keras", "config": {"layers": []}, "compile_config": {"loss": "evil"}}


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    folder = tmp_path / "copies"
    folder.mkdir()
    return folder


def archive(path: Path, config: Any = PLAIN, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("metadata.json", "{}")
        file.writestr("config.json", config if isinstance(config, str) else json.dumps(config))
        file.writestr("model.weights.h5", b"weights")
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_the_copy_holds_the_three_members_and_nothing_to_compile(tmp_path: Path, copies: Path) -> None:
    copy, config = copy_checked(archive(tmp_path / "net.keras", **{"assets/words.txt": b"words"}), copies)
    assert copy == copies / "network.keras"
    with zipfile.ZipFile(copy) as file:
        assert file.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        assert json.loads(file.read("config.json")) == config
        assert file.read("model.weights.h5") == b"weights"
    assert set(config) == {"class_name", "module", "config"}


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "assets/../../evil", "assets\\..\\..\\evil"])
def test_members_that_lead_out_of_the_archive_are_refused(tmp_path: Path, copies: Path, name: str) -> None:
    with pytest.raises(EdgeretrainError, match=r"net\.keras: would write outside its folder"):
        copy_checked(archive(tmp_path / "net.keras", **{name: b"evil"}), copies)
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "its configuration is not valid JSON"),
        ("[" * 100_000, "its configuration is not valid JSON"),
        ([], "its configuration does not describe a network"),
        ({"class_name": "Sequential"}, "its configuration does not describe a network"),
        ({"class_name": "Lambda", "config": {}}, r"holds a Python function.*runs no code from a file"),
    ],
)
def test_configurations_that_are_refused(tmp_path: Path, copies: Path, config: Any, reason: str) -> None:
    with pytest.raises(EdgeretrainError, match=rf"net\.keras: .*{reason}"):
        copy_checked(archive(tmp_path / "net.keras", config), copies)
    assert list(copies.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"<!DOCTYPE html><html>", "it is a web page"),
        (b"checkpoint", "it is neither a zip archive nor an HDF5 file"),
        (b"PK\x03\x04 and nothing else", "a damaged zip archive"),
    ],
)
def test_what_is_no_keras_file(tmp_path: Path, copies: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "net.keras"
    path.write_bytes(content)
    with pytest.raises(EdgeretrainError, match=rf"net\.keras: not a Keras network: {reason}.*model\.save"):
        copy_checked(path, copies)


def test_a_zip_archive_of_something_else(tmp_path: Path, copies: Path) -> None:
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("photo.jpg", b"photo")
    with pytest.raises(EdgeretrainError, match=r"a zip archive without metadata\.json"):
        copy_checked(path, copies)


def test_a_damaged_stream_in_a_compressed_archive(tmp_path: Path, copies: Path) -> None:
    path = tmp_path / "packed.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, json.dumps(list(range(900))))
    content = bytearray(path.read_bytes())
    start = content.find(b"config.json") + len("config.json")
    content[start : start + 40] = b"\xff" * 40  # no block of deflate's begins so
    path.write_bytes(content)
    with pytest.raises(EdgeretrainError, match="a damaged zip archive"):
        copy_checked(path, copies)


def test_a_damaged_member(tmp_path: Path, copies: Path) -> None:
    path = archive(tmp_path / "net.keras")
    path.write_bytes(path.read_bytes().replace(b"weights", b"weighty", 1).replace(b'"Sequential"', b'"Sequentiae"', 1))
    with pytest.raises(EdgeretrainError, match="a damaged zip archive"):
        copy_checked(path, copies)
