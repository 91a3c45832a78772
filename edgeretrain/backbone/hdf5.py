"""HDF5 files from elsewhere: what reading damage raises, and whether a file keeps all it holds to itself.

HDF5 can name other files for parts of its content, and reading follows: a network from elsewhere could take bytes of
any file on this disk for weights, and a model made of it would carry them on. Keras writes no such file.

Needs h5py, which TensorFlow brings along.
"""

from pathlib import Path
from typing import Any

from edgeretrain.errors import EdgeretrainError

UNREADABLE = (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError, SystemError)
"""What h5py raises for a file that is damaged, or none; tests/backbone/test_hdf5.py damages one in many ways."""


def require_self_contained(path: Path, file: Any) -> None:
    """Look for external links, external storage and virtual datasets.

    Args:
        path: the file that the user gave.
        file: it, or the part of it that is HDF5, as an open `h5py.File`.

    Raises:
        EdgeretrainError: there is one.
    """
    import h5py

    def linked(name: str, link: Any) -> str | None:
        return name if isinstance(link, h5py.ExternalLink) else None

    def stored(name: str, item: Any) -> str | None:
        return name if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual) else None

    if name := file.visititems_links(linked) or file.visititems(stored):
        raise EdgeretrainError(
            f"{path}: its {name} would be read from another file on this machine, so it was not loaded: edgeretrain "
            "only reads the file it is given. Keras does not write such files; get it again from its source."
        )
