"""Real photos, and the modules that several tests look at. Shared: copy them to change them."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from importers.modules import mobilenet, write_hub_module, write_session_module


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that this test has for itself, and no cache of TensorFlow Hub's."""
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TFHUB_CACHE_DIR", raising=False)
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def trash(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 photos of each of three classes of trashnet."""
    given = Path(os.environ.get("EDGERETRAIN_PHOTOS", "nowhere")) / "trashnet"
    if not given.is_dir():
        pytest.skip("EDGERETRAIN_PHOTOS names no folder that holds trashnet")
    folder = tmp_path_factory.mktemp("trash") / "photos"
    for label in ("cardboard", "glass", "paper"):
        (folder / label).mkdir(parents=True)
        for photo in sorted((given / label).iterdir())[:30]:
            shutil.copy(photo, folder / label)
    return folder


@pytest.fixture(scope="session")
def features_model() -> Any:
    return mobilenet(top=False)


@pytest.fixture(scope="session")
def classifier_model() -> Any:
    return mobilenet(top=True)


@pytest.fixture(scope="session")
def hub_module(features_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hub_module(tmp_path_factory.mktemp("hub") / "module", features_model, training=True)


@pytest.fixture(scope="session")
def session_module(classifier_model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session_module(tmp_path_factory.mktemp("tf1") / "module", classifier_model, hub=True)
