"""A small preset with random weights, as a weight file and as a cache of its own: no download, the same every time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.backbone.weights import weights_file
from edgeretrain.presets import get_preset

PRESET = "mobilenet_v2_035_96"
LAYERS = 52


def random_model() -> Any:
    """The preset's Keras model with random weights, always the same ones."""
    pytest.importorskip("tensorflow")
    from edgeretrain.backbone.keras_model import keras_model, randomize

    model = keras_model(get_preset(PRESET))
    randomize(model, seed=0)
    return model


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the preset's weight file, named in EDGERETRAIN_WEIGHTS."""
    folder = tmp_path_factory.mktemp("weights")
    random_model().save(folder / weights_file(get_preset(PRESET)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGERETRAIN_WEIGHTS", str(folder))
        yield folder
