"""Photos that the page saves, in class folders as `edgeretrain retrain` reads them."""

import contextlib
import io
import os
import secrets
import threading
import time
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from edgeretrain.data.class_names import alike_key, is_class_folder_name
from edgeretrain.data.pixels import load_pixels
from edgeretrain.data.walk import is_ignored_name, is_photo_name
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import write_atomic
from edgeretrain.files.describe import open_failure, printable

_SUFFIXES = {"PNG": ".png", "WEBP": ".webp", "GIF": ".gif", "BMP": ".bmp", "TIFF": ".tiff"}  # else JPEG
_LONGEST_NAME = 100  # bytes of UTF-8; file systems take 255


class BadClassName(EdgeretrainError):
    """A name that no class folder can have."""


class PhotosStore:
    """A folder of class folders that photos are added to. Threads may share one.

    A photo's name is the time down to ten seconds, `_nohash_` and a random number: the split keeps the shots of ten
    seconds together, so that a burst of nearly the same picture is not both trained and tested on.
    """

    def __init__(self, folder: str | os.PathLike[str], labels: Iterable[str]) -> None:
        """Make the folder if it is not there.

        Args:
            labels: the model's classes.

        Raises:
            EdgeretrainError: it cannot be made, is a file, or there is no permission to write to it.
        """
        self._folder = Path(folder)
        self._labels = tuple(label for label in labels if self._is_folder(label))
        self._lock = threading.Lock()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or open_failure(error)
            raise EdgeretrainError(
                f"{printable(self._folder)}: cannot make this folder for photos ({reason}). Choose another --photos."
            ) from None
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise EdgeretrainError(
                f"{printable(self._folder)}: no permission to write to this folder. Choose another --photos."
            )

    def counts(self) -> dict[str, int]:
        """Class -> its photos, for the classes of the model and every class folder; sorted by name."""
        counts = dict.fromkeys(self._labels, 0)
        try:
            folders = [path for path in self._folder.iterdir() if self._is_folder(path.name) and path.is_dir()]
        except OSError:
            folders = []
        for folder in folders:
            with contextlib.suppress(OSError):
                counts[folder.name] = sum(
                    is_photo_name(path) for path in folder.iterdir() if not is_ignored_name(path.name)
                )
        return dict(sorted(counts.items()))

    def save(self, label: str, content: bytes) -> str:
        """Add a photo to a class, byte for byte.

        Args:
            label: of the model, of a class folder, or a new one.
            content: a photo file.

        Returns:
            Its path below the folder, such as `daisy/20261121-22043_nohash_5b1e0c77.jpg`.

        Raises:
            BadClassName: a class folder cannot have this name.
            UnreadablePhoto: it cannot be decoded.
            EdgeretrainError: it cannot be written, for example because the disk is full. Nothing is left of it then.
        """
        label = self._checked(label)
        load_pixels(content, 8)  # the whole photo must decode: a damaged one would be skipped by a retrain
        with Image.open(io.BytesIO(content)) as image:
            suffix = _SUFFIXES.get(image.format or "", ".jpg")
        folder = self._folder / label
        with self._lock:
            made = self._make(folder)
            try:
                path = self._free_name(folder, suffix)
                write_atomic(path, content)
            except BaseException:
                if made:
                    with contextlib.suppress(OSError):
                        folder.rmdir()
                raise
        return f"{label}/{path.name}"

    def _checked(self, name: str) -> str:
        """The class of this name, checked by the same rules as in `find_photos`."""
        if name in self._labels:
            return name
        name = unicodedata.normalize("NFC", name.strip())
        known = self.counts()
        if name in known:
            return name
        if not self._is_class(name):
            raise BadClassName(
                f"{name!r} cannot be the name of a class: it may have letters, digits, spaces and punctuation, but "
                f'none of / \\ : * ? " < > |, no dot at the beginning or end, and at most {_LONGEST_NAME} bytes. '
                "Choose another name."
            )
        for other in known:
            if alike_key(other) == alike_key(name):
                raise BadClassName(
                    f"There is a class {other!r} already, and {name!r} differs from it only in case or in how Unicode "
                    "writes it. Use that one, or another name."
                )
        return name

    @staticmethod
    def _is_folder(name: str) -> bool:
        """Whether this can be a class folder: a single name, and one that `find_photos` does not ignore."""
        return is_class_folder_name(name) and not set(name) & set("/\\\0") and printable(name) == name

    def _is_class(self, name: str) -> bool:
        """Whether a new class may have this name: on every system that the photos may be copied to."""
        return (
            name.isprintable()  # no control characters, no line breaks
            and self._is_folder(name)
            and len(name.encode()) <= _LONGEST_NAME
            and not set(name) & set(':*?"<>|')
            and not name.endswith(".")
        )

    @staticmethod
    def _make(folder: Path) -> bool:
        """Make the class folder; whether it was missing."""
        try:
            folder.mkdir()
        except FileExistsError:
            return False
        except OSError as error:
            raise EdgeretrainError(
                f"{printable(folder)}: cannot make this class folder ({error.strerror}). Free some space, or choose "
                "another --photos."
            ) from None
        return True

    @staticmethod
    def _free_name(folder: Path, suffix: str) -> Path:
        while True:
            moment = time.strftime("%Y%m%d-%H%M%S")[:-1]
            path = folder / f"{moment}_nohash_{secrets.token_hex(4)}{suffix}"
            if not os.path.lexists(path):
                return path
