"""A folder of demo photos: there whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.run_folder import new_run_folder


@contextlib.contextmanager
def new_photo_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block ends well, and vanishes when it does not.

    Raises:
        EdgeretrainError: `folder` is there already and not empty, or cannot be written, now or in the block.
    """
    with contextlib.suppress(OSError):  # new_run_folder tells these
        if not folder.is_dir() or any(folder.iterdir()):
            what = "a folder that is not a complete set of these photos" if folder.is_dir() else "a file"
            if folder.exists():
                raise EdgeretrainError(f"{folder} is {what}, so it is left alone. Remove it, or choose another --out.")
    with new_run_folder(folder) as whole:
        yield whole
