"""A folder of demo photos: there whole or not at all."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.run_folder import new_run_folder


@contextlib.contextmanager
def new_photo_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of `folder` when the block ends well, and vanishes when it does not.

    Raises:
        EdgeretrainError: `folder` is a file or not empty, or cannot be written, now or in the block.
    """
    with contextlib.suppress(OSError):  # no folder, or a closed one: new_run_folder knows what to say
        if any(folder.iterdir()):
            raise EdgeretrainError(
                f"{folder}: holds something else than a complete set of these photos, so it is left alone. "
                "Remove it, or choose another --out."
            )
    with new_run_folder(folder) as whole:
        yield whole
