"""Figures and settings as text, for tables and pages."""

import json
from collections.abc import Mapping

from edgeretrain.records.json_form import Json

NONE = "–"
"""What a page says where there is no figure. Terminals get a hyphen: not all of them have dashes."""


def percent(share: float | None, none: str = "-") -> str:
    """0.9137 -> `91.4`; `none` where there is no figure."""
    return none if share is None else f"{100 * share:.1f}"


def megabytes(size: int) -> str:
    """Bytes in MB (a million bytes) with three figures: 2653024 -> `2.65`."""
    return f"{size / 1e6:.{2 if size < 9_995_000 else 1}f}"


def count(number: int, noun: str) -> str:
    """`1 photo`, `1,000 photos`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def flat(mapping: Mapping[str, Json], prefix: str = "") -> list[tuple[str, str]]:
    """(key, value) pairs as text; keys of nested mappings are joined with dots."""
    pairs: list[tuple[str, str]] = []
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            pairs += flat(value, f"{prefix}{key}.")
        else:
            pairs.append((f"{prefix}{key}", _text(value)))
    return pairs


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: NONE}[value]
    if isinstance(value, int):
        return str(value) if abs(value) < 10_000 else f"{value:,}"
    if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
        return ", ".join(_text(item) for item in value)
    return json.dumps(value, ensure_ascii=False)
