"""Write report-json.md, the page of all keys, from the records: python docs/reference/make_report_json.py

A record's docstring says what its keys mean: under `Attributes:`, `name: meaning [unit].`, then `None: when.` or
`Absent: when.`
"""

import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from edgeretrain.records.benchmark import Benchmark
from edgeretrain.records.card import Card
from edgeretrain.records.json_form import alternatives, is_left_out, types_of
from edgeretrain.records.sweep import Sweep
from edgeretrain.records.training import Report

PAGE = Path(__file__).with_name("report-json.md")

_HEAD = """\
# The keys of our JSON files

Made from the records in `edgeretrain/records/` by `python docs/reference/make_report_json.py`; a test holds the two
together. Change the records, not this page.

| file | written by | record |
|---|---|---|
| `report.json` | `edgeretrain retrain`, `edgeretrain teach`, into the run folder | [Report](#report) |
| `sweep.json` | `edgeretrain sweep`, into the sweep's folder | [Sweep](#sweep) |
| printed | `edgeretrain benchmark --json`; read again by `--compare`, `--results` | [Benchmark](#benchmark) |
| inside every `.tflite` | `edgeretrain retrain`, `edgeretrain teach`; `inspect --json` prints it | [Card](#card) |

In Python, `retrain()` and `teach()` return the Report, `sweep()` the Sweep, `benchmark()` the Benchmark.
`edgeretrain.to_json(record)` makes plain JSON of a record; `edgeretrain.records.json_form.from_json` reads it.

All are UTF-8. A script may rely on this: a key keeps its name, its type and its meaning as long as `schema` is the
same. Keys may be added at any time, so ignore those that you do not know. A file without `schema` is of schema 1: the
first versions wrote none.
"""

_NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null", object: "any JSON"}

_FILES = (
    ("`report.json`", Report),
    ("`sweep.json`", Sweep),
    ("`edgeretrain benchmark --json`", Benchmark),
    ("The card in a model", Card),
)


class Meaning(NamedTuple):
    """What a docstring says of a key; `unit` is "" where there is none."""

    text: str
    unit: str


def meanings(record: type) -> dict[str, Meaning]:
    """Key -> its meaning, those of the classes that the record inherits from as well."""
    found: dict[str, Meaning] = {}
    for base in reversed(record.__mro__):
        text = inspect.cleandoc(base.__doc__ or "").partition("\nAttributes:\n")[2]
        for entry in re.split(r"\n {4}(?=\w)", f"\n{text}")[1:]:
            names, _, meaning = " ".join(entry.split()).partition(": ")
            unit = re.search(r" \[([^]]+)\]", meaning)
            for name in names.split(", "):
                found[name] = Meaning(meaning.replace(unit[0], "", 1) if unit else meaning, unit[1] if unit else "")
    return found


def summary(record: type) -> str:
    """What a docstring says of the record itself."""
    return " ".join(inspect.cleandoc(record.__doc__ or "").partition("\nAttributes:\n")[0].split())


def records_in(hint: Any) -> Iterator[type]:
    """The records that a value of this type may hold, directly or in lists."""
    if is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from records_in(inner)


def records_of(root: type) -> list[type]:
    """A record and all that are in it, each after the one that holds it."""
    found = [root]
    for record in found:
        for hint in types_of(record).values():
            found += [inner for inner in records_in(hint) if inner not in found]
    return found


def type_words(hint: Any) -> str:
    """A type as the page names it."""
    return " or ".join(_words(kind) for kind in alternatives(hint))


def _words(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    if origin is tuple and arguments[1:] == (...,):
        inner = type_words(arguments[0])
        return f"array of ({inner})" if len(alternatives(arguments[0])) > 1 else f"array of {inner}"
    if origin is tuple:
        return f"array of {len(arguments)}: {', '.join(map(type_words, arguments))}"
    if origin is dict:
        return f"object: name -> {type_words(arguments[1])}"
    if origin is Literal:
        return " or ".join(f"`{json.dumps(choice)}`" for choice in arguments)
    return _NAMES[hint]


def _rows(record: type) -> Iterator[str]:
    explained, hints = meanings(record), types_of(record)
    for place in fields(record):
        meaning = explained[place.name]
        hint = hints[place.name]
        words = type_words(hint)
        if is_left_out(place):
            words = f"{words.removesuffix(' or null')}, or absent"
        text = meaning.text.replace(" None: ", " `null`: ").replace("|", "\\|")
        yield f"| `{place.name}` | {words} | {meaning.unit} | {text} |"


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    seen: set[type] = set()
    for file, root in _FILES:
        for record in records_of(root):
            if record in seen:
                continue
            seen.add(record)
            title = f"## {record.__name__}\n\n"
            title += f"{file} as a whole. " if record is root else ""
            table = "\n".join(("| key | type | unit | meaning |", "|---|---|---|---|", *_rows(record)))
            parts.append(f"{title}{summary(record)}\n\n{table}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
