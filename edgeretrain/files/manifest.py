"""What edgeretrain wrote into a folder: `manifest.json` lists the names and digests. All else there is the user's."""

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.fingerprint import sha256
from edgeretrain.version import __version__

MANIFEST_FILE = "manifest.json"
_KEPT = ".kept"
"""Ends the name that a file of the user's gets when its own is needed."""


def write_manifest(folder: Path) -> None:
    """List the files of a folder, all of which edgeretrain has just written.

    Raises:
        OSError: a file cannot be read, or the list not be written.
    """
    digests = {path.name: sha256(path) for path in folder.iterdir() if is_file(path) and path.name != MANIFEST_FILE}
    (folder / MANIFEST_FILE).write_bytes(_text(digests).encode())


def read_manifest(folder: Path) -> dict[str, str] | None:
    """SHA-256 of what edgeretrain wrote into a folder, by name, without the manifest itself; None: it has none."""
    path = folder / MANIFEST_FILE
    try:
        listed = json.loads(path.read_bytes()) if is_file(path) else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(listed, dict) or "edgeretrain" not in listed or not isinstance(listed.get("files"), dict):
        return None
    return {str(name): digest for name, digest in listed["files"].items() if isinstance(digest, str)}


def is_unchanged(path: Path, digest: str | None) -> bool:
    """Whether a path is still the file that was listed: a real file, no link, with these bytes."""
    try:
        return digest is not None and is_file(path) and sha256(path) == digest
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether a path is a file itself, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def keep(path: Path, folder: Path) -> Path:
    """Move what is the user's into a folder under its own name; where that is taken, with `.kept` at its end.

    Raises:
        OSError: it cannot be moved.
    """
    for number in range(1000):
        name = path.name if not number else f"{path.name}{_KEPT}" if number == 1 else f"{path.name}{_KEPT}-{number}"
        if not os.path.lexists(folder / name):
            return path.rename(folder / name)
    raise FileExistsError(f"{folder / path.name}: there is no free name to keep it under")


def is_kept(name: str) -> bool:
    """Whether a name is one that `keep` gave."""
    start, mark, number = name.rpartition(_KEPT)
    return bool(start and mark) and (not number or (number[0] == "-" and number[1:].isdecimal()))


def keep_others(folder: Path, names: Iterable[str]) -> None:
    """Before files of these names are written: keep what is there under them and is not what edgeretrain wrote.

    Raises:
        OSError: it cannot be moved.
    """
    listed = read_manifest(folder) or {}
    for name in names:
        if os.path.lexists(folder / name) and not is_unchanged(folder / name, listed.get(name)):
            keep(folder / name, folder)


def list_files(folder: Path, names: Iterable[str]) -> None:
    """Add files that edgeretrain has just written to the manifest of a folder; none: make one that lists nothing yet.

    Raises:
        EdgeretrainError: it cannot be written.
        OSError: a file cannot be read.
    """
    fresh = {name: sha256(folder / name) for name in names if is_file(folder / name)}
    text = _text({**(read_manifest(folder) or {}), **fresh})
    write_atomic(folder / MANIFEST_FILE, text, hint="Choose another --out.")


def _text(digests: dict[str, str]) -> str:
    about = "Files that edgeretrain wrote here, with their SHA-256. It replaces and removes no others."
    listed = {"edgeretrain": __version__, "about": about, "files": dict(sorted(digests.items()))}
    return json.dumps(listed, indent=1, ensure_ascii=False) + "\n"
