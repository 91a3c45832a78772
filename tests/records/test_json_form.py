"""Dataclasses to JSON and back: every kind of field, what may be missing, and which key an error names."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from edgeretrain.records.json_form import LEFT_OUT, NewerSchemaError, RecordError, from_json, to_json


@dataclass(frozen=True, kw_only=True)
class Leaf:
    name: str
    size: float | None


@dataclass(frozen=True, kw_only=True)
class Failed:
    name: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Tree:
    schema: int = 2
    count: int
    share: float
    flag: bool
    kind: Literal["oak", "ash"]
    height: int | Literal["any"]
    note: str | None
    leaf: Leaf
    leaves: tuple[Leaf | Failed, ...]
    bounds: tuple[float, float]
    rows: tuple[tuple[int, ...], ...]
    counts: dict[str, int]
    origin: dict[str, object]
    extra: Leaf | None = field(default=None, metadata=LEFT_OUT)
    seed: int = 7


TREE = Tree(
    count=3,
    share=0.5,
    flag=True,
    kind="oak",
    height="any",
    note=None,
    leaf=Leaf(name="a", size=None),
    leaves=(Leaf(name="b", size=1.5), Failed(name="c", error="it fell")),
    bounds=(0.25, 0.75),
    rows=((1, 2), ()),
    counts={"ä/b": 1},
    origin={"file": "x", "deep": [1, {"any": None}]},
)
PLAIN: dict[str, Any] = {
    "schema": 2,
    "count": 3,
    "share": 0.5,
    "flag": True,
    "kind": "oak",
    "height": "any",
    "note": None,
    "leaf": {"name": "a", "size": None},
    "leaves": [{"name": "b", "size": 1.5}, {"name": "c", "error": "it fell"}],
    "bounds": [0.25, 0.75],
    "rows": [[1, 2], []],
    "counts": {"ä/b": 1},
    "origin": {"file": "x", "deep": [1, {"any": None}]},
    "seed": 7,
}


def test_fields_become_keys_in_their_order() -> None:
    assert json.dumps(to_json(TREE)) == json.dumps(PLAIN)


def test_and_back() -> None:
    assert from_json(Tree, json.loads(json.dumps(PLAIN))) == TREE


def test_what_is_left_out_while_it_is_none() -> None:
    whole = from_json(Tree, {**PLAIN, "extra": {"name": "d", "size": 2}})
    assert whole.extra == Leaf(name="d", size=2.0)
    assert list(to_json(whole)) == [*list(PLAIN)[:-1], "extra", "seed"]


@pytest.mark.parametrize(("key", "value"), [("note", None), ("extra", None), ("seed", 7), ("schema", 2)])
def test_keys_that_may_be_missing(key: str, value: object) -> None:
    assert getattr(from_json(Tree, {name: entry for name, entry in PLAIN.items() if name != key}), key) == value


@pytest.mark.parametrize("key", sorted(PLAIN.keys() - {"note", "seed", "schema"}))
def test_keys_that_may_not(key: str) -> None:
    with pytest.raises(RecordError, match=f"^{key} is missing$"):
        from_json(Tree, {name: entry for name, entry in PLAIN.items() if name != key})


def test_keys_that_are_not_known_are_ignored() -> None:
    assert from_json(Tree, {**PLAIN, "future": [1], "leaf": {"name": "a", "colour": "red"}}) == TREE


def test_a_newer_schema_is_refused_and_an_older_one_is_read() -> None:
    assert from_json(Tree, {**PLAIN, "schema": 1}).schema == 1
    with pytest.raises(NewerSchemaError, match="schema is 3, and this edgeretrain knows no later one than 2"):
        from_json(Tree, {**PLAIN, "schema": 3, "leaf": "of another form"})


def test_a_whole_number_is_a_number() -> None:
    share = from_json(Tree, {**PLAIN, "share": 1}).share
    assert (share, type(share)) == (1.0, float)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("count", "3", 'count must be a whole number, not "3"'),
        ("count", 3.0, "count must be a whole number, not 3.0"),
        ("count", True, "count must be a whole number, not true"),
        ("count", None, "count must be a whole number, not null"),
        ("share", False, "share must be a number, not false"),
        ("share", float("nan"), "share must be a number, not NaN"),
        ("share", float("inf"), "share must be a number, not Infinity"),
        ("flag", 1, "flag must be true or false, not 1"),
        ("kind", "elm", 'kind must be "oak" or "ash", not "elm"'),
        ("height", "tall", 'height must be a whole number or "any", not "tall"'),
        ("note", 5, "note must be text or null, not 5"),
        ("leaf", [], "leaf must be an object, not []"),
        ("leaf", {"name": 1, "size": None}, "leaf.name must be text, not 1"),
        ("extra", {"name": "d", "size": "l"}, 'extra.size must be a number or null, not "l"'),
        ("extra", "none", 'extra must be an object or null, not "none"'),
        ("leaves", {}, "leaves must be a list, not {}"),
        ("leaves", [{"name": "b", "size": 1}, {"name": "c", "error": 5}], "leaves[1].error must be text, not 5"),
        ("leaves", [{"size": 1}], "leaves[0].name is missing"),
        ("bounds", [1], "bounds must be a list of 2, not [1]"),
        ("bounds", [1, "2"], 'bounds[1] must be a number, not "2"'),
        ("rows", [[1], [None]], "rows[1][0] must be a whole number, not null"),
        ("counts", {"a": []}, "counts.a must be a whole number, not []"),
        ("origin", "x" * 100, f'origin must be an object, not "{"x" * 36}...'),
    ],
)
def test_an_error_names_the_key(key: str, value: object, words: str) -> None:
    with pytest.raises(RecordError) as caught:
        from_json(Tree, {**PLAIN, key: value})
    assert str(caught.value) == words


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_at_all(value: object) -> None:
    with pytest.raises(RecordError, match="the whole must be an object, not "):
        from_json(Tree, value)


def test_what_has_no_form_in_json_is_a_mistake_in_the_program() -> None:
    @dataclass(frozen=True)
    class Wrong:
        values: set[int]

    with pytest.raises(TypeError, match="set has no form in JSON"):
        to_json(Wrong({1}))
    with pytest.raises(TypeError, match="has no form in JSON"):
        from_json(Wrong, {"values": [1]})
