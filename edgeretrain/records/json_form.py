"""Records as JSON and back: a frozen dataclass is a JSON object with its fields as keys, in their order.

Fields may be text, numbers, true or false, `None`, `Literal`, other dataclasses, tuples (lists in JSON), dicts with
text as keys, unions of these, and `object`: any JSON.

How forms may change: keys can be added, and are ignored by versions that do not know them. What an older version reads
must keep its name, type and meaning; else the record's `schema` is raised, and older versions refuse the file.
"""

import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from edgeretrain.errors import EdgeretrainError

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""What `json` reads and writes."""


class Record(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


_R = TypeVar("_R", bound=Record)

LEFT_OUT = {"left out": True}
"""`field(default=None, metadata=LEFT_OUT)`: the key is left out of the JSON while the field is None."""

_SCHEMA = "schema"
_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}


class RecordError(ValueError):
    """JSON that is not the record it should be: `results[0].bytes must be a whole number, not "many"`."""


class NewerSchemaError(RecordError):
    """JSON that a newer edgeretrain wrote, in a form that this one does not know."""


def is_left_out(place: "Field[Any]") -> bool:
    """Whether the key of a field is left out while the field is None."""
    return LEFT_OUT.keys() <= place.metadata.keys()


def to_json(record: Record) -> dict[str, Json]:
    """The record as `json.dumps` takes it."""
    values = ((place, getattr(record, place.name)) for place in fields(record))
    return {place.name: _plain(value) for place, value in values if value is not None or not is_left_out(place)}


def _plain(value: Any) -> Json:
    if is_dataclass(value) and not isinstance(value, type):
        return to_json(value)
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def from_json(record: type[_R], value: object) -> _R:
    """The record that a JSON object holds.

    Keys that the record does not have are ignored. A key may be missing when its field has a default or may be None;
    a missing key of the second kind is read as None.

    Args:
        value: as `json.loads` returns it.

    Raises:
        NewerSchemaError: its `schema` is higher than the record's.
        RecordError: a key is missing, or its value is of another type or refused by the record; the text names the key.
    """
    return _read_record(record, value, "")


@cache
def types_of(record: type) -> dict[str, Any]:
    """Field name -> its type, in the fields' order."""
    hints = get_type_hints(record)
    return {place.name: hints[place.name] for place in fields(record)}


def may_be_null(hint: Any) -> bool:
    """Whether None is among the values of this type."""
    return hint is object or type(None) in alternatives(hint)


def alternatives(hint: Any) -> tuple[Any, ...]:
    """The members of a union; of any other type, the type itself."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _read_record(record: type[_R], value: object, path: str) -> _R:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    hints = types_of(record)
    given: dict[str, Any] = {}
    for place in fields(record):
        inner = f"{path}.{place.name}" if path else place.name
        if place.name in value:
            given[place.name] = _read(hints[place.name], value[place.name], inner)
        elif place.default is MISSING and place.default_factory is MISSING:
            if not may_be_null(hints[place.name]):
                raise RecordError(f"{inner} is missing")
            given[place.name] = None
        if place.name == _SCHEMA and given.get(_SCHEMA, 0) > place.default:
            raise NewerSchemaError(
                f"{inner} is {given[_SCHEMA]}, and this edgeretrain knows no later one than {place.default}"
            )
    try:
        return record(**given)
    except EdgeretrainError as problem:  # options check themselves
        raise RecordError(f"{path or 'the whole'} cannot be used: {problem}") from None


def _read(hint: Any, value: object, path: str) -> Any:
    kinds = alternatives(hint)
    if len(kinds) > 1:
        return _read_one_of(kinds, value, path)
    if _is_record(hint):
        return _read_record(hint, value, path)
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is object:
        return value
    if hint is float and _is_number(value):
        return float(value)  # type: ignore[arg-type]
    if hint is not float and hint in _NAMES and type(value) is hint:
        return value
    if origin is Literal and any(value == choice and type(value) is type(choice) for choice in arguments):
        return value
    if origin is tuple and isinstance(value, list):
        kinds = arguments[:1] * len(value) if arguments[1:] == (...,) else arguments
        if len(kinds) == len(value):
            return tuple(
                _read(kind, inner, f"{path}[{index}]")
                for index, (kind, inner) in enumerate(zip(kinds, value, strict=True))
            )
    if origin is dict and isinstance(value, dict):
        return {key: _read(arguments[1], inner, f"{path}.{key}") for key, inner in value.items()}
    raise _wrong(path, describe(hint), value)


def _read_one_of(kinds: Sequence[Any], value: object, path: str) -> Any:
    """Records are told apart by their keys: the one that shares most of them with the value, of several the first."""
    records: list[Any] = [kind for kind in kinds if _is_record(kind)]
    if records and isinstance(value, dict):
        return _read_record(max(records, key=lambda kind: len(types_of(kind).keys() & value.keys())), value, path)
    problems = []
    for kind in kinds:
        try:
            return _read(kind, value, path)
        except RecordError as problem:
            problems.append(problem)
    described = " or ".join(describe(kind) for kind in kinds)
    # A list that is none because of one of its entries: that entry is worth naming.
    deeper = [problem for problem in problems if not str(problem).startswith(f"{path} must")]
    raise deeper[0] if deeper else _wrong(path, described, value)


def _is_record(hint: Any) -> bool:
    return is_dataclass(hint)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def describe(hint: Any) -> str:
    """A type in words."""
    if hint in _NAMES:
        return _NAMES[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(json.dumps(choice) for choice in arguments)
    if origin is tuple:
        return "a list" if arguments[1:] == (...,) else f"a list of {len(arguments)}"
    if origin is dict or _is_record(hint):
        return "an object"
    raise TypeError(f"{hint} has no form in JSON")


def _wrong(path: str, wanted: str, value: object) -> RecordError:
    shown = json.dumps(value, ensure_ascii=False)
    if len(shown) > 40:
        shown = f"{shown[:37]}..."
    return RecordError(f"{path or 'the whole'} must be {wanted}, not {shown}")
