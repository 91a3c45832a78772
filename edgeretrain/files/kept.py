"""What edgeretrain keeps in its cache folder, and the removal of it. What it did not put there is never looked into."""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.manifest import is_file

Kind = Literal["bottlenecks", "backbones", "own-backbones", "weights", "sources", "fine-tuning"]
KINDS: tuple[Kind, ...] = get_args(Kind)
REPLACEABLE: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind != "own-backbones")
"""What is computed, built or downloaded again when it is needed."""

_DATABASE = re.compile(r"[0-9a-f]{32}\.sqlite")
_FOLDER = re.compile(r"[0-9a-f]{32}")
_LARGEST_CARD = 1 << 20  # bytes
_STATE = re.compile(r"\w+\.npz|photos\.\d+\.uint8|\..+\.[0-9a-f]{32}")
_BACKBONE = re.compile(r"([a-z0-9][a-z0-9_.-]*)\.(float32|float16|dynamic|int8)\.tflite")


@dataclass(frozen=True)
class Kept:
    """Something in the cache.

    Attributes:
        path: its main file, or its folder.
        more: files that go with it.
        bytes: of all of them.
        used: when it was last read or written, seconds since the epoch, as far as the system records that.
    """

    kind: Kind
    path: Path
    more: tuple[Path, ...]
    bytes: int
    used: float

    @property
    def days(self) -> float:
        """Days since it was last used."""
        return max(0.0, time.time() - self.used) / 86_400


def list_kept(cache: Path, *, presets: Collection[str], weights: Collection[str]) -> list[Kept]:
    """All that edgeretrain keeps in a cache folder, by kind and name.

    Args:
        presets: names of the backbones that can be built again; others are the user's own.
        weights: names of the weight files that are downloaded.
    """
    found = [*_bottlenecks(cache), *_backbones(cache, presets), *_weights(cache, weights)]
    found += [*_folders(cache / "sources", "sources"), *_folders(cache / "fine_tuning", "fine-tuning")]
    return sorted(found, key=lambda kept: (KINDS.index(kept.kind), kept.path.name))


def remove_kept(found: Sequence[Kept]) -> None:
    """Remove these from the cache.

    Raises:
        EdgeretrainError: one of them cannot be removed; the others are.
    """
    failed: list[OSError] = []
    for kept in found:
        for path in (kept.path, *kept.more):
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                failed.append(error)
    if failed:
        reason = failed[0].strerror or failed[0]
        raise EdgeretrainError(f"{failed[0].filename}: cannot be removed ({reason}). The rest was removed.")


def _bottlenecks(cache: Path) -> Iterator[Kept]:
    for path in _entries(cache / "bottlenecks"):
        if _DATABASE.fullmatch(path.name) and is_file(path) and _start(path, 16) in (b"SQLite format 3\0", b""):
            beside = (path.with_name(path.name + ending) for ending in ("-journal", "-wal", "-shm"))
            yield _kept("bottlenecks", path, *filter(is_file, beside))


def _backbones(cache: Path, presets: Collection[str]) -> Iterator[Kept]:
    for path in _entries(cache / "backbones"):
        match = _BACKBONE.fullmatch(path.name)
        card = path.with_suffix(".json")
        if match and is_file(path) and is_file(card) and _is_card(card, match[1]):
            yield _kept("backbones" if match[1] in presets else "own-backbones", path, card)


def _is_card(path: Path, name: str) -> bool:
    try:
        card = json.loads(_start(path, _LARGEST_CARD) or b"")
    except (ValueError, RecursionError):
        return False
    return isinstance(card, dict) and card.get("preset") == name and "sha256" in card


def _weights(cache: Path, names: Collection[str]) -> Iterator[Kept]:
    for path in _entries(cache / "weights"):
        if path.name in names and is_file(path) and _start(path, 8) == b"\x89HDF\r\n\x1a\n":
            yield _kept("weights", path)


def _folders(folder: Path, kind: Kind) -> Iterator[Kept]:
    for path in _entries(folder):
        if not _FOLDER.fullmatch(path.name) or not path.is_dir() or path.is_symlink():
            continue
        if kind == "sources" or all(_STATE.fullmatch(inside.name) for inside in _entries(path)):
            yield _kept(kind, path)


def _entries(folder: Path) -> list[Path]:
    if folder.is_symlink():  # what is behind it may be anything
        return []
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir())
    return []


def _kept(kind: Kind, path: Path, *more: Path) -> Kept:
    size, used = 0, 0.0
    for part in (path, *more, *(path.rglob("*") if path.is_dir() else ())):
        with contextlib.suppress(OSError):  # gone meanwhile
            status = part.lstat()
            size += 0 if part.is_dir() else status.st_size
            used = max(used, status.st_mtime, 0.0 if part.is_dir() else status.st_atime)
    return Kept(kind, path, more, size, used)


def _start(path: Path, length: int) -> bytes | None:
    """The first bytes of a file; None: it cannot be read. To look is not to use: the time of last use stays."""
    for flags in (getattr(os, "O_NOATIME", 0), 0):
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | flags)
        except PermissionError:  # the first flag is for the owner of the file
            continue
        except OSError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            return file.read(length)
    return None
