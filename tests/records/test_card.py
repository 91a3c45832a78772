"""The card inside a model file, as a record and back."""

from dataclasses import replace
from pathlib import Path

import pytest
from support.garden import Run

from edgeretrain.backbone import find_backbone
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS
from edgeretrain.records.card import Card
from edgeretrain.records.json_form import from_json, to_json
from edgeretrain.records.training import TaughtChanges
from edgeretrain.tflite.package import read_package
from edgeretrain.training.retrain import backbone_record


def read_card(path: Path) -> Card:
    """The card of a model file: nothing is in it that the record lacks, but for the checksum of the file's format."""
    plain = read_package(path).card
    del plain["flatbuffer_sha256"]
    card = from_json(Card, plain)
    assert to_json(card) == plain
    return card


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_card_of_a_retrain(run: Run, precision: str) -> None:
    card = read_card(run.model(precision))
    (model,) = (model for model in run.report["models"] if model["precision"] == precision)
    assert (card.precision, card.reject_below, card.taught) == (precision, model["reject_below"], None)
    assert (to_json(card.backbone), to_json(card.head)) == (model["backbone"], model["head"])
    assert card.photos.training == sum(run.report["photos"]["training"].values())


def test_the_card_of_a_teach(taught: Run) -> None:
    assert read_card(taught.model("int8")).taught == (TaughtChanges(added={"dots": 24}, removed={}),)


def test_the_damaged_card_of_a_backbone_is_refused() -> None:
    backbone = find_backbone("mobilenet_v2_100_224", "int8")
    damaged = replace(backbone, card={**backbone.card, "weights": "somewhere"})
    with pytest.raises(EdgeretrainError, match=r"card of this backbone is damaged \(weights must be an object"):
        backbone_record(damaged)
