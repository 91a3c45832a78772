"""Two results beside each other: what has become slower or larger than it may."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import (
    FACTOR,
    Benchmark,
    BenchmarkFailure,
    BenchmarkResult,
    ComparedModel,
    Comparison,
    DecidingFigures,
    NoFigures,
    Ratios,
)

MEMORY_SLACK_BYTES = 2**20
"""Peak memory may also grow by this much: pages and allocators are not the same twice."""

_Result = BenchmarkResult | BenchmarkFailure
_Key = tuple[str, int]


def compare(old: Benchmark, new: Benchmark, *, factor: float = FACTOR, across: bool = False) -> Comparison:
    """Compare two benchmarks.

    Results belong together when path and threads agree, else when file name and threads do and no other has them. A
    regression is a median latency, a file size or a peak memory of more than `factor` times the old one (memory also by
    more than MEMORY_SLACK_BYTES), or a model that could be measured and no longer can.

    Args:
        across: compare although machine, runtime or delegate differ.

    Raises:
        EdgeretrainError: a factor that is not at least 1, another machine or runtime and not `across`, or no model in
            common.
    """
    if not 1 <= factor < float("inf"):
        raise EdgeretrainError(f"A factor of {factor:g} makes no sense. Use 1 or more, such as {FACTOR:g}.")
    pairs, only_old, only_new = _pairs(old.results, new.results)
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
    rows = tuple(_compared(before, after, factor) for before, after in pairs)
    return Comparison(
        factor=float(factor),
        differences=tuple(differences),
        rows=rows,
        only_old=tuple(map(_name, only_old)),
        only_new=tuple(map(_name, only_new)),
        regressions=tuple(f"{_name(row)}: {regression}" for row in rows for regression in row.regressions),
    )


def _pairs(
    old: Sequence[_Result], new: Sequence[_Result]
) -> tuple[list[tuple[_Result, _Result]], list[_Result], list[_Result]]:
    """Results that belong together, in the order of the new ones, and those that are left over."""
    left_old, left_new = list(old), list(new)
    partner: dict[int, _Result] = {}
    for key_of in (_path_key, _file_key):
        counts_old, counts_new = Counter(map(key_of, left_old)), Counter(map(key_of, left_new))
        for after in list(left_new):
            key = key_of(after)
            if counts_old[key] == counts_new[key] == 1:
                before = next(result for result in left_old if key_of(result) == key)
                partner[id(after)] = before
                left_old.remove(before)
                left_new.remove(after)
    pairs = [(partner[id(after)], after) for after in new if id(after) in partner]
    return pairs, left_old, left_new


def _path_key(result: _Result) -> _Key:
    return result.model, result.threads


def _file_key(result: _Result | ComparedModel) -> _Key:
    # Windows writes paths with backslashes; a results file may come from there.
    return PurePath(result.model.replace("\\", "/")).name, result.threads


def _name(result: _Result | ComparedModel) -> str:
    return f"{_file_key(result)[0]}, {result.threads} thread{'s' if result.threads > 1 else ''}"


def _differences(old: Benchmark, new: Benchmark, pairs: Sequence[tuple[_Result, _Result]]) -> list[str]:
    was, now = old.environment, new.environment
    must_agree = (
        ("machine", was.machine, now.machine),
        ("architecture", was.architecture, now.architecture),
        ("usable cores", was.cores, now.cores),
        ("runtime", was.runtime, now.runtime),
    )
    differences = [f"the {what} was {before} and is {after}" for what, before, after in must_agree if before != after]
    for earlier, later in pairs:
        if isinstance(earlier, BenchmarkFailure) or isinstance(later, BenchmarkFailure):
            continue
        if earlier.delegate != later.delegate:
            differences.append(f"the delegate of {_name(later)} was {earlier.delegate} and is {later.delegate}")
    return differences


def _compared(before: _Result, after: _Result, factor: float) -> ComparedModel:
    old, new = _figures(before), _figures(after)
    ratio, regressions = Ratios(median_ms=None, bytes=None, peak_memory_bytes=None), []
    if isinstance(old, DecidingFigures) and isinstance(new, DecidingFigures):
        ratio = Ratios(
            median_ms=_ratio(old.median_ms, new.median_ms),
            bytes=_ratio(old.bytes, new.bytes),
            peak_memory_bytes=_ratio(old.peak_memory_bytes, new.peak_memory_bytes),
        )
        memory_grew = (new.peak_memory_bytes or 0) - (old.peak_memory_bytes or 0) > MEMORY_SLACK_BYTES
        deciding = (
            ("median latency", ratio.median_ms),
            ("file size", ratio.bytes),
            ("peak memory", ratio.peak_memory_bytes if memory_grew else None),
        )
        regressions = [
            f"{what} {times:.2f} times the old one" for what, times in deciding if times is not None and times > factor
        ]
    elif isinstance(old, DecidingFigures) and isinstance(new, NoFigures):
        regressions = [f"cannot be measured any more ({new.error})"]
    return ComparedModel(
        model=after.model, threads=after.threads, old=old, new=new, ratio=ratio, regressions=tuple(regressions)
    )


def _figures(result: _Result) -> DecidingFigures | NoFigures:
    if isinstance(result, BenchmarkFailure):
        return NoFigures(error=result.error)
    return DecidingFigures(
        median_ms=result.inference_ms.median, bytes=result.bytes, peak_memory_bytes=result.peak_memory_bytes
    )


def _ratio(old: float | None, new: float | None) -> float | None:
    """new / old; None where one is missing, or where the old one is 0."""
    return None if not old or new is None else round(new / old, 4)
