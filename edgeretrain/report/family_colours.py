"""The colour of a model in a chart: its family's, from the family's record."""

from collections.abc import Iterable

from edgeretrain.backbone.families import FAMILIES

_OWN = ("own", "your own backbones", "#a68a00", "#ead96b")
"""Class, title and colours of networks that are of no preset's family: backbones of the user's own."""

_LOOKS = {family.name: (family.name, family.title, family.light, family.dark) for family in FAMILIES}


def colour_class(architecture: str) -> str:
    """The CSS class that `colour_rules` gives the colour of a candidate's architecture."""
    return f"family-{_LOOKS.get(architecture, _OWN)[0]}"


def colour_titles(architectures: Iterable[str]) -> dict[str, str]:
    """For a legend: title by class, in the order of the architectures; those of no family share one entry."""
    return {colour_class(architecture): _LOOKS.get(architecture, _OWN)[1] for architecture in architectures}


def colour_rules(architectures: Iterable[str]) -> str:
    """Style sheet: `color` for the classes of these architectures, on light paper, on dark screens, and in print."""
    looks = dict.fromkeys(_LOOKS.get(architecture, _OWN) for architecture in architectures)
    light = "".join(f".family-{name} {{ color: {colour}; }}\n" for name, _, colour, _ in looks)
    dark = "".join(f"  .family-{name} {{ color: {colour}; }}\n" for name, _, _, colour in looks)
    return f"{light}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n" if light else ""
