"""The folder of a sweep: what is the user's in it stays the user's."""

import json
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.manifest import MANIFEST_FILE, read_manifest
from edgeretrain.sweep.folder import (
    LATENCY_FILE,
    PAGE_FILE,
    PICTURE_FILES,
    RESULT_FILE,
    check_sweep_folder,
    listed_files,
    make_sweep_folder,
)

FILES = (RESULT_FILE, LATENCY_FILE, PAGE_FILE, *PICTURE_FILES)
RESULT = json.dumps({"edgeretrain": "0.9", "candidates": [], "budget": {}, "pick": None})


def write(folder: Path, text: str) -> None:
    check_sweep_folder(folder)
    make_sweep_folder(folder)
    with listed_files(folder, FILES):
        for name in FILES:
            write_atomic(folder / name, text)


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != MANIFEST_FILE}


@pytest.mark.parametrize("name", [*FILES, MANIFEST_FILE])
def test_the_users_own_files_of_our_names_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"mine": true}')
    with pytest.raises(EdgeretrainError, match=rf"holds {name}, .* left alone\. Choose another --out"):
        check_sweep_folder(tmp_path)
    assert [path.read_text() for path in tmp_path.iterdir()] == ['{"mine": true}']


def test_a_sweep_is_written_again(tmp_path: Path) -> None:
    for text in ("old", "new"):
        write(tmp_path / "sweep", text)
        assert content(tmp_path / "sweep") == dict.fromkeys(FILES, text)
    assert set(read_manifest(tmp_path / "sweep") or ()) == set(FILES)


def test_one_that_was_stopped_early_goes_on(tmp_path: Path) -> None:
    make_sweep_folder(tmp_path)
    (tmp_path / LATENCY_FILE).write_text("killed before it was listed")
    write(tmp_path, "new")
    assert content(tmp_path) == {**dict.fromkeys(FILES, "new"), f"{LATENCY_FILE}.kept": "killed before it was listed"}


def test_what_the_user_wrote_over_ours_is_kept(tmp_path: Path) -> None:
    write(tmp_path, "old")
    (tmp_path / PAGE_FILE).write_text("my own")
    write(tmp_path, "new")
    (tmp_path / PAGE_FILE).unlink()
    (tmp_path / PAGE_FILE).mkdir()
    write(tmp_path, "newest")
    assert (tmp_path / f"{PAGE_FILE}.kept-2").is_dir()
    (tmp_path / f"{PAGE_FILE}.kept-2").rmdir()
    assert content(tmp_path) == {**dict.fromkeys(FILES, "newest"), f"{PAGE_FILE}.kept": "my own"}


def test_a_sweep_of_a_version_without_a_manifest(tmp_path: Path) -> None:
    """Its result proves it; what cannot be proven is kept beside the new one."""
    (tmp_path / RESULT_FILE).write_text(RESULT)
    (tmp_path / PAGE_FILE).write_text("page")
    write(tmp_path, "new")
    kept = {f"{RESULT_FILE}.kept": RESULT, f"{PAGE_FILE}.kept": "page"}
    assert content(tmp_path) == {**dict.fromkeys(FILES, "new"), **kept}


def test_a_file_that_is_nested_without_end(tmp_path: Path) -> None:
    (tmp_path / RESULT_FILE).write_text("[" * 200_000)
    with pytest.raises(EdgeretrainError, match="not part of a sweep"):
        check_sweep_folder(tmp_path)
