"""A cache of the tests' own, photo folders, and one retrain that many tests look at."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from garden import Run, jpeg, put, write_textures

from edgeretrain.presets import PRECISIONS


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test touches the user's cache."""
    folder = tmp_path_factory.mktemp("edgeretrain-cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERETRAIN_CACHE", str(folder))
        yield folder


@pytest.fixture
def garden(tmp_path: Path) -> Path:
    """Two classes of 25 different photos each."""
    folder = tmp_path / "garden"
    for number in range(25):
        put(folder / "rose" / f"r{number:02d}.jpg", jpeg(number))
        put(folder / "tulip" / f"t{number:02d}.jpg", jpeg(100 + number))
    return folder


@pytest.fixture(scope="session")
def textures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes of 24 small photos that a backbone tells apart. Shared: copy it to change it."""
    return write_textures(tmp_path_factory.mktemp("textures") / "photos")


@pytest.fixture(scope="session")
def run(textures: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The default preset retrained on `textures` in all precisions. Shared: copy it to change it."""
    pytest.importorskip("ai_edge_litert")
    from edgeretrain.pipeline import retrain

    out = tmp_path_factory.mktemp("retrained") / "run"
    return Run(textures, out, retrain(textures, out, precisions=PRECISIONS, cache=cache))
