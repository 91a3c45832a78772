"""One model for all of them, and pages served from it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support.garden import Run

from edgeretrain.classifier import Classifier
from serve.served import TOKEN, Page, served

Serve = Callable[..., Page]


@pytest.fixture(scope="session")
def classifier(run: Run) -> Iterator[Classifier]:
    with Classifier(run.model("int8")) as one:
        yield one


@pytest.fixture
def serve(classifier: Classifier) -> Iterator[Serve]:
    """Serve a page until the end of the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> Page:
            return stack.enter_context(served(classifier, **options))

        yield start


@pytest.fixture(scope="session")
def shared(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Page, Page, Path]]:
    """A page without a token, one that the local network could reach, and the folder that both save photos into."""
    folder = tmp_path_factory.mktemp("serve") / "photos"
    with (
        served(classifier, photos=folder) as page,
        served(classifier, photos=folder, token=TOKEN, host="0.0.0.0") as locked,
    ):
        yield page, locked, folder


@pytest.fixture
def photos(shared: tuple[Page, Page, Path]) -> Iterator[Path]:
    """The folder that photos are saved into, empty."""
    folder = shared[2]
    yield folder
    for path in folder.iterdir():
        shutil.rmtree(path)


@pytest.fixture
def page(shared: tuple[Page, Page, Path], photos: Path) -> Page:
    """A page that needs no token and saves photos."""
    shared[0].told.clear()
    return shared[0]


@pytest.fixture
def locked(shared: tuple[Page, Page, Path], photos: Path) -> Page:
    """A page that needs the token."""
    shared[1].requests.clear()
    return shared[1]
