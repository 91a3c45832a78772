"""A folder of demo photos, complete or not there at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.run_folder import new_run_folder


@contextlib.contextmanager
def new_photo_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that becomes `folder` when the block succeeds, and is removed when it fails.

    Raises:
        EdgeretrainError: `folder` is a file or not empty, or cannot be written, now or in the block.
    """
    with contextlib.suppress(OSError):  # no folder, or no permission: new_run_folder reports it
        if any(folder.iterdir()):
            raise EdgeretrainError(
                f"{folder}: holds other files, or not all of these photos, so it is left alone. "
                "Remove it, or choose another --out."
            )
    with new_run_folder(folder, listed=False) as temporary:
        yield temporary
