"""Two results beside each other: what has become slower or larger than it may."""

from collections import Counter
from pathlib import PurePath
from typing import Any

from edgeretrain.errors import EdgeretrainError

FACTOR = 1.2
"""How many times the old figure the new one may be."""

MEMORY_SLACK_BYTES = 2**20
"""Peak memory may also grow by this much: pages and allocators are not the same twice."""

_MUST_AGREE = {"machine": "machine", "architecture": "architecture", "cores": "usable cores", "runtime": "runtime"}

_DECIDING = {
    "median_ms": "median latency",
    "bytes": "file size",
    "peak_memory_bytes": "peak memory",
}

_Key = tuple[str, int]


def compare(
    old: dict[str, Any], new: dict[str, Any], *, factor: float = FACTOR, across: bool = False
) -> dict[str, Any]:
    """Compare two results, each as `benchmark` returns them.

    Results belong together when path and threads agree, else when file name and threads do and no other has them. A
    regression is a median latency, a file size or a peak memory of more than `factor` times the old one (memory also by
    more than MEMORY_SLACK_BYTES), or a model that could be measured and no longer can.

    Args:
        across: compare although machine, runtime or delegate differ.

    Returns:
        plain JSON: factor; differences: how the machines differ (sentences, [] unless `across`); rows: model, threads,
        old and new (each median_ms, bytes, peak_memory_bytes, or error), ratio (new / old of each, None where one is
        missing), regressions (sentences); only_old and only_new: `model, N threads` without a partner; regressions: all
        rows' sentences with the model's name.

    Raises:
        EdgeretrainError: a factor that is not at least 1, another machine or runtime and not `across`, or no model in
            common.
    """
    if not 1 <= factor < float("inf"):
        raise EdgeretrainError(f"A factor of {factor:g} makes no sense. Use 1 or more, such as {FACTOR:g}.")
    pairs, only_old, only_new = _pairs(old["results"], new["results"])
    if not pairs:
        raise EdgeretrainError(
            "The two results have no model at the same number of threads in common. Measure the same models."
        )
    differences = _differences(old, new, pairs)
    if differences and not across:
        raise EdgeretrainError(
            f"The two results cannot be compared: {'; '.join(differences)}. Measure both on one machine, or add "
            "--across-machines to see them beside each other."
        )
    rows = [_row(before, after, factor) for before, after in pairs]
    return {
        "factor": factor,
        "differences": differences,
        "rows": rows,
        "only_old": only_old,
        "only_new": only_new,
        "regressions": [f"{_name(row)}: {told}" for row in rows for told in row["regressions"]],
    }


def _pairs(
    old: list[dict[str, Any]], new: list[dict[str, Any]]
) -> tuple[list[tuple[dict[str, Any], dict[str, Any]]], list[str], list[str]]:
    """Results that belong together, in the order of the new ones, and the names of those that are left over."""
    left_old, left_new = list(old), list(new)
    partner: dict[int, dict[str, Any]] = {}
    for key_of in (_path_key, _file_key):
        counts_old, counts_new = Counter(map(key_of, left_old)), Counter(map(key_of, left_new))
        for after in list(left_new):
            key = key_of(after)
            if counts_old[key] == counts_new[key] == 1:
                before = next(one for one in left_old if key_of(one) == key)
                partner[id(after)] = before
                left_old.remove(before)
                left_new.remove(after)
    pairs = [(partner[id(after)], after) for after in new if id(after) in partner]
    return pairs, list(map(_name, left_old)), list(map(_name, left_new))


def _path_key(result: dict[str, Any]) -> _Key:
    return result["model"], result["threads"]


def _file_key(result: dict[str, Any]) -> _Key:
    # Windows writes paths with backslashes; a results file may come from there.
    return PurePath(result["model"].replace("\\", "/")).name, result["threads"]


def _name(result: dict[str, Any]) -> str:
    return f"{_file_key(result)[0]}, {result['threads']} thread{'s' if result['threads'] > 1 else ''}"


def _differences(
    old: dict[str, Any], new: dict[str, Any], pairs: list[tuple[dict[str, Any], dict[str, Any]]]
) -> list[str]:
    told = [
        f"the {what} was {old['environment'][key]} and is {new['environment'][key]}"
        for key, what in _MUST_AGREE.items()
        if old["environment"][key] != new["environment"][key]
    ]
    for before, after in pairs:
        was, now = before.get("delegate"), after.get("delegate")
        if "error" not in before and "error" not in after and was != now:
            told.append(f"the delegate of {_name(after)} was {was} and is {now}")
    return told


def _figures(result: dict[str, Any]) -> dict[str, Any]:
    if "error" in result:
        return {"error": result["error"]}
    return {
        "median_ms": result["inference_ms"]["median"],
        "bytes": result["bytes"],
        "peak_memory_bytes": result["peak_memory_bytes"],
    }


def _row(before: dict[str, Any], after: dict[str, Any], factor: float) -> dict[str, Any]:
    old, new = _figures(before), _figures(after)
    ratio = {name: _ratio(old.get(name), new.get(name)) for name in _DECIDING}
    regressions = []
    if "error" in new and "error" not in old:
        regressions.append(f"cannot be measured any more ({new['error']})")
    for name, what in _DECIDING.items():
        times = ratio[name]
        slack = MEMORY_SLACK_BYTES if name == "peak_memory_bytes" else 0
        if times is not None and times > factor and new[name] - old[name] > slack:
            regressions.append(f"{what} {times:.2f} times the old one")
    return {
        "model": after["model"],
        "threads": after["threads"],
        "old": old,
        "new": new,
        "ratio": ratio,
        "regressions": regressions,
    }


def _ratio(old: float | None, new: float | None) -> float | None:
    """new / old; None where one is missing, or where the old one is 0."""
    return None if not old or new is None else round(new / old, 4)
