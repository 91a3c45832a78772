"""The photos of one class, listed and read, as `teach` does it in its one pass."""

from collections.abc import Sequence
from pathlib import Path

from edgeretrain.data.photos import Photo, Skipped, list_class_photos, read_all, sorted_photos, sorted_skipped
from edgeretrain.progress import Progress, silent


def find_class_photos(
    label: str, sources: Sequence[Path], *, progress: Progress = silent
) -> tuple[list[Photo], list[Skipped]]:
    """Those that can be read and those that cannot, each sorted by name."""
    photos, skipped = read_all(list_class_photos(label, sources), progress)
    return list(sorted_photos(photos)), list(sorted_skipped(skipped))
