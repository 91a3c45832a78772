"""A cache of the tests' own, photo folders, and one retrain that many tests look at."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.garden import Pair, Run, jpeg, put, write_textures

from edgeretrain.precision import PRECISIONS


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are numbered: an archive holds the second of its making, and pytest's processes must agree on names."""
    return argname if isinstance(val, bytes) else None


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
    from support.plain import retrain

    out = tmp_path_factory.mktemp("retrained") / "run"
    return Run(textures, out, retrain(textures, out, precisions=PRECISIONS, cache=cache))


@pytest.fixture(scope="session")
def pair(textures: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """Two of the three classes of `textures` retrained, their photos gone. Shared: copy it to change it."""
    pytest.importorskip("ai_edge_litert")
    from support.plain import retrain

    folder = tmp_path_factory.mktemp("pair")
    photos = folder / "photos"
    shutil.copytree(textures, photos)
    dots = Path(shutil.move(photos / "dots", folder / "somewhere"))
    report = retrain(photos, folder / "run", precisions=PRECISIONS, cache=cache)
    shutil.rmtree(photos)
    return Pair(folder / "run", report, dots)


@pytest.fixture(scope="session")
def taught(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run of `pair` taught its third class. Shared: copy it to change it."""
    from support.plain import teach

    out = tmp_path_factory.mktemp("taught") / "run"
    return Run(pair.dots, out, teach(pair.run, out, add={"dots": pair.dots}))


@pytest.fixture
def small(pair: Pair, tmp_path: Path) -> Path:
    """The run of `pair` in int8 only, to be spoilt at will."""
    folder = tmp_path / "small"
    folder.mkdir()
    for name in ("model.int8.tflite", "bottlenecks.int8.npz", "labels.txt", "report.json", "report.html"):
        shutil.copy(pair.run / name, folder)
    return folder
