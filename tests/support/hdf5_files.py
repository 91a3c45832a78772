"""HDF5 files that want to be read from other files, in the three ways that HDF5 has; and damaged ones."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SECRET = np.arange(64, dtype=np.float32)
WAYS = ["link", "storage", "virtual"]


def lead_out(group: Any, name: str, way: str, folder: Path) -> None:
    """Make `name` in an open HDF5 file another file's numbers."""
    h5py = pytest.importorskip("h5py")
    other = folder / "other.h5"
    with h5py.File(other, "w") as file:
        file["secret"] = SECRET
    (folder / "secret.bin").write_bytes(SECRET.tobytes())
    if way == "link":
        group[name] = h5py.ExternalLink(str(other), "secret")
    elif way == "storage":
        size = SECRET.nbytes
        group.create_dataset(name, SECRET.shape, SECRET.dtype, external=[(str(folder / "secret.bin"), 0, size)])
    else:
        layout = h5py.VirtualLayout(SECRET.shape, SECRET.dtype)
        layout[:] = h5py.VirtualSource(str(other), "secret", SECRET.shape)
        group.create_virtual_dataset(name, layout)
    np.testing.assert_array_equal(group[name][:], SECRET)  # so it would be read


def damaged(whole: bytes, times: int) -> Iterator[tuple[bytes, Exception | None]]:
    """An HDF5 file damaged by chance, the same every time, and what a look at all it holds raises; None: nothing."""
    h5py = pytest.importorskip("h5py")
    from edgeretrain.backbone.hdf5 import require_self_contained

    random = np.random.default_rng(0)
    for number in range(times):
        content = bytearray(whole)
        if number % 5 == 0:
            del content[random.integers(len(whole)) :]
        else:
            for place in random.integers(min(len(whole), 12_000), size=random.integers(1, 8)):
                content[place] = random.integers(256)
        try:
            with h5py.File(io.BytesIO(content), "r") as file:
                require_self_contained(Path("net.h5"), file)
            yield bytes(content), None
        except Exception as error:
            yield bytes(content), error
