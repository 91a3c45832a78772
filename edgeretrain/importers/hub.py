"""TensorFlow Hub handles and other addresses: downloaded once, unpacked, kept, opened as what they are.

The package tensorflow_hub is not used. What it would do here is a download, an untar and `tf.saved_model.load`; its
last release is of January 2024, and it requires tf_keras, a second Keras beside TensorFlow's. Its protocol is kept
(https://www.tensorflow.org/hub/hosting), and so is its cache: what TFHUB_CACHE_DIR holds is not downloaded again.
"""

import hashlib
import os
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.archive import is_archive, unpack
from edgeretrain.files.download import download
from edgeretrain.files.durable import sync_folder
from edgeretrain.files.partial_folder import partial_folder
from edgeretrain.paths import cache_folder
from edgeretrain.progress import Progress, silent

_FILES = (".tflite", ".lite", ".h5", ".hdf5", ".keras", ".pb")
ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")


def fetch(handle: str, *, progress: Progress = silent) -> Path:
    """The folder of a SavedModel, or the file of another network, that a handle names; downloaded once.

    Args:
        handle: of TensorFlow Hub, `https://tfhub.dev/...` or `https://www.kaggle.com/models/...`; or any other http
            address: of an archive (.tar.gz, .tgz, .tar, .zip), of a file (.tflite, .h5, .keras, .pb), or of a server
            that speaks TensorFlow Hub's protocol.

    Raises:
        EdgeretrainError: it is not such an address; it cannot be downloaded or unpacked; there is no network in it.
    """
    address = urlsplit(handle)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise EdgeretrainError(
            f"{handle}: is not an address to download from. Give --from an address that starts with https://, "
            "or download the network by hand and give its folder or file."
        )
    handle = urlunsplit(address._replace(fragment="")).rstrip("/")
    return _network_in(_hub_cache(handle) or _fetched(handle, progress), handle)


def download_address(handle: str) -> str:
    """Where a handle's content is downloaded from: a file's and an archive's address as it is, otherwise with
    `tf-hub-format=compressed`."""
    address = urlsplit(handle)
    query = parse_qsl(address.query, keep_blank_values=True)
    is_file = address.path.lower().endswith(_FILES + ARCHIVES)
    if is_file or any(key in ("tf-hub-format", "lite-format") for key, _ in query):
        return handle
    return urlunsplit(address._replace(query=urlencode([*query, ("tf-hub-format", "compressed")])))


def public_address(handle: str) -> str:
    """A handle without possible secrets: a password, and a query that may hold a token."""
    address = urlsplit(handle)
    return urlunsplit((address.scheme, address.netloc.rpartition("@")[2], address.path, "", ""))


def _hub_cache(handle: str) -> Path | None:
    """The folder of a module that TensorFlow Hub's own package has downloaded, when TFHUB_CACHE_DIR says where.

    It is called by the SHA-1 of the handle (tensorflow_hub/compressed_module_resolver.py).
    """
    if not (given := os.environ.get("TFHUB_CACHE_DIR")):
        return None
    path = Path(given).expanduser() / hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()
    return path if (path / "saved_model.pb").is_file() else None


def _fetched(handle: str, progress: Progress) -> Path:
    """The folder with the content of a handle, in the cache; downloaded into it if it is not there."""
    folder = cache_folder() / "sources" / hashlib.sha256(handle.encode()).hexdigest()[:32]
    if folder.is_dir():
        return folder
    address = urlsplit(handle)
    name = PurePosixPath(address.path).name
    if "lite-format=tflite" in address.query:
        name += ".tflite"
    is_file = name.lower().endswith(_FILES)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with partial_folder(folder) as temporary:
            whole = temporary / "whole"
            fetched = whole / name if is_file else temporary / "archive"
            download(
                download_address(handle),
                fetched,
                step=f"Downloading {'/'.join(PurePosixPath(address.path).parts[-3:]).strip('/') or address.netloc}",
                validate=_no_file if is_file else _no_archive,
                hint="Check the address. Without a network here: download it in a browser elsewhere, unpack it, "
                "and give its folder or file with --from.",
                progress=progress,
            )
            if not is_file:
                unpack(fetched, whole, public_address(handle))
            _network_in(whole, handle)  # what holds none is not kept
            sync_folder(whole)
            try:
                whole.replace(folder)
            except OSError:
                if not folder.is_dir():  # otherwise another run has put it there meanwhile
                    raise
    except OSError as error:
        raise EdgeretrainError(
            f"{folder}: cannot be written ({error.strerror or error}). Set EDGERETRAIN_CACHE to another folder."
        ) from error
    return folder


def _no_archive(path: Path) -> str | None:
    if is_archive(path):
        return None
    return f"the downloaded file is {_looks_like(path)}, not an archive of a TensorFlow module"


def _no_file(path: Path) -> str | None:
    looks = _looks_like(path)
    return f"the downloaded file is {looks}" if looks != "something else" else None


def _looks_like(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(512).lstrip().lower()
    if not start:
        return "empty"
    return "a web page" if start.startswith((b"<!doctype", b"<html", b"<?xml")) else "something else"


def _network_in(folder: Path, handle: str) -> Path:
    """What an unpacked folder holds: the folder of a SavedModel, or the only file that is a network."""
    if (folder / "saved_model.pb").is_file():
        return folder
    models = sorted(path.parent for path in folder.rglob("saved_model.pb"))
    if len(models) == 1:
        return models[0]
    files = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in _FILES and path.name != "saved_model.pb"
    )
    if len(files) == 1 and not models:
        return files[0]
    inside = ", ".join(path.relative_to(folder).as_posix() for path in (models or files)[:5])
    reason = f"holds several networks ({inside})" if inside else "holds neither a SavedModel nor another network"
    raise EdgeretrainError(
        f"{public_address(handle)}: the archive {reason}. Download it by hand, unpack it, and give the one you want "
        "with --from."
    )
