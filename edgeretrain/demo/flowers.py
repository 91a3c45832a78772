"""TensorFlow's flower_photos: 3,670 photos in five classes, fetched and unpacked."""

import os
from pathlib import Path, PurePosixPath

from edgeretrain.data.walk import is_photo_name
from edgeretrain.demo.folder import new_photo_folder
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.archive import unpack
from edgeretrain.files.download import download
from edgeretrain.files.fingerprint import sha256
from edgeretrain.progress import Progress, silent

FLOWERS_URL = "https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz"
"""Where TensorFlow's tutorials download from; EDGERETRAIN_FLOWERS_URL names another copy."""

LABELS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
FEWEST_PHOTOS = 3600  # of 3,670: a copy may lack some

# As TensorFlow Datasets states them, tensorflow_datasets/datasets/tf_flowers/checksums.tsv (4.9.10).
_BYTES = 228_813_984
_SHA256 = "4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c"

_LICENCE_FILE = "LICENSE.txt"  # CC BY 2.0 for every photo, with the photographers' names
_LARGEST = 1 << 30  # bytes; unpacked, the photos have 230 million
_NEXT_STEPS = (
    "Try again later, run `edgeretrain demo` without --flowers, or download the archive by hand, unpack it and run "
    "`edgeretrain retrain FOLDER`."
)


def fetch_flowers(folder: Path, *, url: str | None = None, progress: Progress = silent) -> Path:
    """Download flower_photos (229 MB) and unpack it. A complete set from an earlier call is reused.

    TensorFlow's own archive must have the size and SHA-256 that TensorFlow Datasets states; of another copy, the
    gzip checksum, the five class folders and the number of photos are checked.

    Args:
        url: of the .tgz archive; default EDGERETRAIN_FLOWERS_URL, then TensorFlow's.

    Returns:
        `folder`, which holds one sub-folder for each class, and LICENSE.txt.

    Raises:
        EdgeretrainError: no network, a damaged or a wrong archive; the folder cannot be written, or holds other files.
    """
    if _missing(folder) is None:
        return folder
    url = url or os.environ.get("EDGERETRAIN_FLOWERS_URL") or FLOWERS_URL
    with new_photo_folder(folder) as temporary:
        archive = temporary / "flower_photos.tgz"
        validate = _not_tensorflows if url == FLOWERS_URL else _not_gzip
        download(url, archive, step="Downloading flower_photos", validate=validate, hint=_NEXT_STEPS, progress=progress)
        unpack(
            archive,
            temporary,
            url,
            keep=_wanted,
            max_bytes=_LARGEST,
            hint=_NEXT_STEPS,
            step="Unpacking flower_photos",
            progress=progress,
        )
        archive.unlink()
        if reason := _missing(temporary):
            raise EdgeretrainError(f"{url} is not the archive of flower_photos: {reason}. {_NEXT_STEPS}")
    return folder


def _not_gzip(archive: Path) -> str | None:
    with archive.open("rb") as file:
        return None if file.read(2) == b"\x1f\x8b" else "the server did not send a .tgz archive"


def _not_tensorflows(archive: Path) -> str | None:
    if reason := _not_gzip(archive):
        return reason
    size = archive.stat().st_size
    if size != _BYTES:
        return f"it has {size:,} bytes, not the {_BYTES:,} of flower_photos.tgz"
    return None if sha256(archive) == _SHA256 else "its SHA-256 is not the one that TensorFlow Datasets states"


def _missing(folder: Path) -> str | None:
    """What a folder lacks to be flower_photos, or None."""
    count = 0
    for label in LABELS:
        photos = [path for path in (folder / label).glob("*") if is_photo_name(path)]
        if not photos:
            return f"it has no {label}/*.jpg"
        count += len(photos)
    return None if count >= FEWEST_PHOTOS else f"it has {count:,} photos, fewer than {FEWEST_PHOTOS:,}"


def _wanted(path: PurePosixPath) -> PurePosixPath | None:
    """Where below the photos folder a file of the archive goes, or None when it is neither a photo nor the licence."""
    inside = PurePosixPath(*path.parts[1:])  # below flower_photos/
    if inside == PurePosixPath(_LICENCE_FILE):
        return inside
    label, name = inside.parts if len(inside.parts) == 2 else ("", "")
    wanted = label in LABELS and not name.startswith(".") and is_photo_name(inside)
    return inside if wanted else None
