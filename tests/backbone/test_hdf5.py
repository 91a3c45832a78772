"""HDF5 files that lead to other files are told from those that keep to themselves."""

from pathlib import Path

import numpy as np
import pytest
from support.hdf5_files import SECRET, WAYS, damaged, lead_out

from edgeretrain.backbone.hdf5 import UNREADABLE, require_self_contained
from edgeretrain.errors import EdgeretrainError

pytestmark = pytest.mark.tensorflow  # which brings h5py


@pytest.mark.parametrize("way", WAYS)
def test_content_of_other_files_is_refused(tmp_path: Path, way: str) -> None:
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "net.h5"
    with h5py.File(path, "w") as file:
        lead_out(file.create_group("layers/conv"), "kernel", way, tmp_path)
    with (
        h5py.File(path) as file,
        pytest.raises(EdgeretrainError, match=r"net\.h5: its layers/conv/kernel would be read from another file"),
    ):
        require_self_contained(path, file)


def test_links_within_the_file_are_fine(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file["kernel"] = SECRET
        file["again"] = file["kernel"]
        file["by_name"] = h5py.SoftLink("/kernel")
        file.create_group("layers")["round"] = file["/"]  # a circle
        require_self_contained(tmp_path / "net.h5", file)


@pytest.mark.parametrize("way", WAYS)
def test_no_weight_file_is_read_from_another_file(tmp_path: Path, way: str) -> None:
    from edgeretrain.backbone.keras_model import load_weights
    from edgeretrain.backbone.presets import get_preset

    h5py = pytest.importorskip("h5py")
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([b"conv_pw_13"])
        layer = file.create_group("conv_pw_13")
        layer.attrs["weight_names"] = np.array([b"kernel"])
        lead_out(layer, "kernel", way, tmp_path)
    with pytest.raises(EdgeretrainError, match=r"weights\.h5: its conv_pw_13/kernel would be read from another file"):
        load_weights(None, get_preset("mobilenet_v1_025_128"), path)


def test_whatever_is_damaged_is_told_in_the_same_way(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "net.h5", "w") as file:
        for number in range(40):
            file[f"layers/{number}/vars/0"] = SECRET
    raised = [error for _, error in damaged((tmp_path / "net.h5").read_bytes(), 1500) if error is not None]
    assert [error for error in raised if not isinstance(error, (*UNREADABLE, EdgeretrainError))] == []
    assert {OSError, RuntimeError, KeyError} <= {type(error) for error in raised}
