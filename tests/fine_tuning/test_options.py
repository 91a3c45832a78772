"""What fine-tuning can be told, and what it refuses."""

from typing import Any

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.options import parse_layers


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("layers", 0),
        ("layers", -3),
        ("layers", "most"),
        ("epochs", 0),
        ("learning_rate", 0),
        ("learning_rate", 1),
        ("learning_rate", float("nan")),
        ("batch_size", 0),
        ("warm_up", -1),
        ("warm_up", 8),
        ("patience", 0),
        ("augmentation", -0.1),
        ("augmentation", 1.6),
        ("mixup", -0.1),
        ("mixup", 2.1),
        ("label_smoothing", 1),
    ],
)
def test_values_that_cannot_be_used_are_named(option: str, value: Any) -> None:
    settings = {"epochs": 8, option: value}
    with pytest.raises(EdgeretrainError, match=r"^Fine-tuning cannot use \S+ as ") as refused:
        FineTuning(**settings)
    assert option.split("_")[0] in str(refused.value)
    assert str(value) in str(refused.value)


def test_equal_options_are_equal_in_the_report() -> None:
    one = FineTuning(warm_up=1, augmentation=1, learning_rate=1e-3)
    other = FineTuning(warm_up=1.0, augmentation=1.0, learning_rate=0.001)
    assert repr(one) == repr(other)


@pytest.mark.parametrize(("text", "layers"), [("all", "all"), ("ALL", "all"), ("20", 20), (" 3 ", 3)])
def test_layers(text: str, layers: int | str) -> None:
    assert parse_layers(text) == layers


@pytest.mark.parametrize("text", ["", "half", "2.5", "--epochs"])
def test_unknown_numbers_of_layers(text: str) -> None:
    with pytest.raises(EdgeretrainError, match=r"Give all, or the number of layers"):
        parse_layers(text)
