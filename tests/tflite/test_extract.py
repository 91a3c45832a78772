"""A part of a network computes what the whole computes there, and holds nothing else."""

from pathlib import Path

import numpy as np
import pytest

from edgeretrain.backbone import find_backbone
from edgeretrain.tflite.extract import extract
from edgeretrain.tflite.flatbuffer import numbers
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.runtime import Runner

pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def path() -> Path:
    return find_backbone("mobilenet_v2_100_224", "float32").path


def waists(model: Model) -> list[int]:
    """The operators whose output is all that later ones need: no residual addition spans it."""
    found = []
    for place in range(len(model.operators) - 1):
        before = {n for operator in model.operators[: place + 1] for n in numbers(operator.outputs)} | {*model.inputs}
        needed = {n for operator in model.operators[place + 1 :] for n in numbers(operator.inputs)}
        if needed & before == set(numbers(model.operators[place].outputs)):
            found.append(place)
    return found


def test_the_two_halves_of_a_network_are_the_network(path: Path) -> None:
    model = Model.read(path)
    before = model.write()
    place = waists(model)[10]
    (middle,) = numbers(model.operators[place].outputs)
    first = extract(model, range(place + 1), model.inputs, middle)
    second = extract(model, range(place + 1, len(model.operators)), [middle], model.outputs[0])
    photo = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3)).astype(np.float32)
    bottleneck = Runner(second.write()).run(Runner(first.write()).run(photo))
    assert np.allclose(bottleneck, Runner(path).run(photo), rtol=1e-5, atol=1e-5)
    assert np.ptp(bottleneck) > 1  # or zeros would do
    assert model.write() == before


def test_it_holds_nothing_of_the_rest(path: Path) -> None:
    model = Model.read(path)
    last = len(model.operators) - 1
    (feature_map, _) = numbers(model.operators[last].inputs)
    part = extract(model, [last], [feature_map], model.outputs[0])
    assert len(part.write()) < 5000
    assert len(part.tensors) == 3 and part.kind(part.operators[0]) == "MEAN"
    assert not part.tree.metadata and not part.tree.signatureDefs
    runner = Runner(part.write())
    values = np.random.default_rng(0).normal(size=runner.inputs[0].shape).astype(np.float32)
    assert np.allclose(runner.run(values), values.mean(axis=(1, 2)), atol=1e-5)


def test_an_input_that_is_left_out_stays_left_out(path: Path) -> None:
    model = Model.read(path)
    convolution = next(place for place, one in enumerate(model.operators) if model.kind(one) == "CONV_2D")
    operator = model.operators[convolution]
    photo, weights, _ = numbers(operator.inputs)
    operator.inputs = [photo, weights, -1]
    part = extract(model, [convolution], [photo], int(operator.outputs[0]))
    assert numbers(part.operators[0].inputs)[2] == -1 and len(part.tensors) == 3
