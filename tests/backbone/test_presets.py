"""The table against published facts that it was not made of, and the names that people type."""

import re

import pytest

from edgeretrain.backbone.presets import BUILDABLE, DEFAULT_PRESET, LOGITS, PRESETS, get_preset, with_bottleneck
from edgeretrain.errors import EdgeretrainError
from edgeretrain.precision import PRECISIONS

# ImageNet weights that Keras publishes: keras-applications' file names, alpha and resolution.
V1 = {(alpha, size) for alpha in (25, 50, 75, 100) for size in (128, 160, 192, 224)}
V2 = {(alpha, size) for alpha in (35, 50, 75, 100) for size in (96, 128, 160, 192, 224)} | {(130, 224), (140, 224)}


def test_the_table_is_what_there_are_weights_for() -> None:
    assert len(PRESETS) == 40
    names = {f"mobilenet_v1_{alpha:03d}_{size}" for alpha, size in V1}
    names |= {f"mobilenet_v2_{alpha:03d}_{size}" for alpha, size in V2}
    assert set(PRESETS) == names | {"nasnet_mobile", "inception_v3"}
    assert DEFAULT_PRESET in PRESETS
    assert PRECISIONS == ("float32", "float16", "dynamic", "int8")


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("mobilenet_v1_100_224", 1024),
        ("mobilenet_v1_075_192", 768),
        ("mobilenet_v1_050_160", 512),
        ("mobilenet_v1_025_128", 256),
        ("mobilenet_v2_140_224", 1792),
        ("mobilenet_v2_130_224", 1664),
        ("mobilenet_v2_100_96", 1280),
        ("mobilenet_v2_035_96", 1280),
        ("nasnet_mobile", 1056),
        ("inception_v3", 2048),
    ],
)
def test_bottleneck_lengths(name: str, length: int) -> None:
    """The lengths of TensorFlow Hub's feature vectors."""
    assert PRESETS[name].bottleneck == length


def test_macs_grow_as_the_area_of_the_photo() -> None:
    """Only the classifier does not shrink with the photo; published MACs are whole millions."""
    for preset in PRESETS.values():
        if preset.architecture in ("nasnet_mobile", "inception_v3") or preset.resolution == 224:
            continue
        if preset.name == "mobilenet_v1_025_192":  # published as 34; the area says 30
            continue
        largest = PRESETS[re.sub(r"_\d+$", "_224", preset.name)]
        classifier = preset.bottleneck * 1001 / 1e6
        expected = (largest.macs - classifier) * (preset.resolution / 224) ** 2 + classifier
        assert preset.macs == pytest.approx(expected, rel=0.06, abs=2), preset.name
        assert preset.parameters == largest.parameters
        assert preset.top1 < largest.top1


def test_a_wider_network_costs_more_and_knows_more() -> None:
    for preset in PRESETS.values():
        for other in PRESETS.values():
            same = (preset.architecture, preset.resolution) == (other.architecture, other.resolution)
            if same and preset.alpha < other.alpha:
                assert (preset.macs, preset.parameters, preset.top1) < (other.macs, other.parameters, other.top1)
                assert preset.top1 < other.top1 and preset.parameters < other.parameters


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("mobilenet_0.50_224", "mobilenet_v1_050_224"),
        ("mobilenet_0.5_160", "mobilenet_v1_050_160"),
        ("mobilenet_1.0_128", "mobilenet_v1_100_128"),
        ("mobilenet_0.25_192", "mobilenet_v1_025_192"),
        ("mobilenet_0.75_224", "mobilenet_v1_075_224"),
        (" MobileNet_V2_100_224\n", "mobilenet_v2_100_224"),
        ("NASNet_Mobile", "nasnet_mobile"),
    ],
)
def test_aliases(typed: str, name: str) -> None:
    assert get_preset(typed) is PRESETS[name]


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [
        ("mobilenet_v2_100_225", "mobilenet_v2_100_224"),
        ("mobilenetv2_100_224", "mobilenet_v2_100_224"),
        ("mobilenet_v1_025_96", "mobilenet_v1_025_192"),
        ("resnet50", DEFAULT_PRESET),
        ("", DEFAULT_PRESET),
    ],
)
def test_an_unknown_name_gets_the_nearest(typed: str, suggested: str) -> None:
    with pytest.raises(EdgeretrainError) as caught:
        get_preset(typed)
    message = str(caught.value)
    assert message.startswith(f"There is no preset {typed!r}. Nearest: ")
    nearest = message.split("Nearest: ")[1].split(". ")[0].split(", ")
    assert set(nearest) <= set(PRESETS)
    assert suggested in nearest


@pytest.mark.parametrize("typed", ["nasnet_mobile_331", "nasnet_160", "NASNet_large"])
def test_nasnet_at_another_size_is_refused_with_the_reason(typed: str) -> None:
    with pytest.raises(EdgeretrainError, match=r"weights exist at 224 x 224 only.*Use nasnet_mobile\."):
        get_preset(typed)


def test_class_scores_are_a_bottleneck_of_mobilenet_v1_only() -> None:
    assert set(LOGITS) == {f"mobilenet_v1_{alpha:03d}_{size}_logits" for alpha, size in V1}
    assert all(preset.logits and preset.bottleneck == 1000 for preset in LOGITS.values())
    assert not any(preset.logits for preset in PRESETS.values())
    assert len(BUILDABLE) == len(PRESETS) + len(LOGITS)
    assert with_bottleneck("mobilenet_0.25_128", "logits") == "mobilenet_v1_025_128_logits"
    assert with_bottleneck("mobilenet_v1_025_128_logits", "logits") == "mobilenet_v1_025_128_logits"
    assert with_bottleneck("my_net", "features") == "my_net"
    assert get_preset("mobilenet_v1_025_128_logits").macs == get_preset("mobilenet_v1_025_128").macs
    for name in ("mobilenet_v2_100_224", "nasnet_mobile", "inception_v3"):
        with pytest.raises(EdgeretrainError, match=rf"--bottleneck logits is for MobileNet V1.*{name}'s"):
            with_bottleneck(name, "logits")
