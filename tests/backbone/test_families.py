"""One record per family: everything about a preset comes from it, and stands nowhere else."""

import re
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.backbone.families import FAMILIES, Family
from edgeretrain.backbone.presets import BUILDABLE, PRESETS
from edgeretrain.backbone.weights import weights_file, weights_url
from edgeretrain.data.scaling import Scaling
from edgeretrain.precision import PRECISIONS
from edgeretrain.report.family_colours import colour_class, colour_rules
from edgeretrain.report.sweep_chart import SYMBOLS

PACKAGE = Path(__file__).parents[2] / "edgeretrain"


@pytest.mark.parametrize("name", BUILDABLE)
def test_every_preset_has_all_that_is_asked_of_it(name: str) -> None:
    preset = BUILDABLE[name]
    assert preset.family in FAMILIES
    assert re.fullmatch(r"\S+( \d\.\d+/\d+)?( logits)?", preset.short_name)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+\.h5", weights_file(preset))
    assert weights_url(preset).endswith(f"/{weights_file(preset)}")
    assert preset.family.constructor.isidentifier()
    assert preset.family.scaling == Scaling.between(-1, 1)
    assert preset.family.licence and preset.family.copyright and preset.family.source
    assert f".{colour_class(preset.architecture)} {{ color: {preset.family.light}; }}" in colour_rules(
        [preset.architecture]
    )
    assert preset.macs > 0 and preset.parameters > 0 and 0 < preset.top1 < 100 and preset.bottleneck > 0


def test_short_names_and_weight_files_tell_presets_apart() -> None:
    assert len({preset.short_name for preset in BUILDABLE.values()}) == len(BUILDABLE)
    assert len({weights_file(preset) for preset in BUILDABLE.values()}) == len(BUILDABLE)


def test_every_precision_has_a_mark_of_its_own() -> None:
    assert tuple(SYMBOLS) == PRECISIONS
    assert len(set(SYMBOLS.values())) == len(PRECISIONS)


@pytest.mark.parametrize("attribute", ["name", "title", "short", "light", "dark", "constructor", "layer"])
def test_families_are_told_apart_by(attribute: str) -> None:
    assert len({getattr(family, attribute) for family in FAMILIES}) == len(FAMILIES)


def luminance(colour: str) -> float:
    """WCAG 2's relative luminance of `#rrggbb`."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_colours_stand_out_from_their_paper(family: Family) -> None:
    """At least 3 : 1, what WCAG 2.1 asks of graphics (1.4.11)."""
    style = (PACKAGE / "report" / "style.css").read_text()
    light, dark = (luminance(paper) for paper in re.findall(r"--paper: (#\w{6})", style)[:2])
    assert (light + 0.05) / (luminance(family.light) + 0.05) >= 3
    assert (luminance(family.dark) + 0.05) / (dark + 0.05) >= 3


def test_no_other_file_spells_a_family_out() -> None:
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix not in (".py", ".css", ".html", ".js", ".svg") or path.name == "families.py":
            continue
        text = path.read_text()
        for family in FAMILIES:
            for spelt in (f'"{family.name}"', f"'{family.name}'", f'"{family.title}"', family.light, family.dark):
                assert spelt not in text, f"{path}: {spelt}"


@pytest.mark.tensorflow
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_constructor_and_layer_are_keras_own(family: Family) -> None:
    tf: Any = pytest.importorskip("tensorflow")
    from edgeretrain.backbone.keras_model import keras_model

    preset = next(preset for preset in reversed(PRESETS.values()) if preset.family is family)
    model = keras_model(preset)
    assert callable(getattr(tf.keras.applications, family.constructor))
    assert model.output_shape == (None, preset.bottleneck)
    layers = {layer.name: layer for layer in model.layers}
    assert not {other.layer for other in FAMILIES if other is not family} & set(layers)
    if family.scalable:
        kernel = layers[family.layer].get_weights()[0]
        assert kernel.shape[-1] == round(family.layer_filters * preset.alpha)
