"""Which results belong together, what counts as worse, what cannot be compared."""

from typing import Any

import pytest

from benchmark.made_up import failure, result, results
from edgeretrain.benchmark import compare
from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import DecidingFigures, Ratios


def test_the_same_is_not_worse() -> None:
    comparison = compare(results(), results())
    (row,) = comparison.rows
    assert row.ratio == Ratios(median_ms=1.0, bytes=1.0, peak_memory_bytes=1.0)
    assert row.old == row.new == DecidingFigures(median_ms=10.0, bytes=2_700_000, peak_memory_bytes=12_000_000)
    assert comparison.regressions == comparison.only_old == comparison.only_new == comparison.differences == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"median": 12.01}, "median latency 1.20 times"),
        ({"bytes": 3_300_000}, "file size 1.22 times"),
        ({"peak_memory_bytes": 20_000_000}, "peak memory 1.67 times"),
    ],
)
def test_each_of_three_figures_decides(changed: dict[str, Any], words: str) -> None:
    (regression,) = compare(results(), results(result(**changed))).regressions
    assert regression.startswith("model.int8.tflite, 1 thread: ") and words in regression
    assert compare(results(), results(result(**changed)), factor=1.7).regressions == ()
    assert compare(results(result(**changed)), results()).regressions == ()  # better


@pytest.mark.parametrize("changed", [{"median": 12.0}, {"initialization_ms": 99.0}, {"compressed_bytes": 9_999_999}])
def test_what_does_not_decide(changed: dict[str, Any]) -> None:
    assert compare(results(), results(result(**changed))).regressions == ()


def test_a_little_memory_is_no_matter() -> None:
    little, more = result(peak_memory_bytes=1_000_000), result(peak_memory_bytes=2_000_000)
    assert compare(results(little), results(more)).regressions == ()
    unknown = result(peak_memory_bytes=None)
    assert compare(results(little), results(unknown)).rows[0].ratio.peak_memory_bytes is None


def test_a_model_that_fails_now_is_a_regression() -> None:
    (regression,) = compare(results(), results(failure())).regressions
    assert "cannot be measured any more (it crashed)" in regression
    assert compare(results(failure()), results()).regressions == ()
    assert compare(results(failure()), results(failure())).regressions == ()


def test_partners_by_path_then_by_file_name() -> None:
    old = results(
        result("a/model.int8.tflite", median=1), result("b/model.int8.tflite", median=2), result("c/x.tflite")
    )
    new = results(
        result("d/x.tflite"), result("b/model.int8.tflite", median=2), result("a/model.int8.tflite", median=1)
    )
    comparison = compare(old, new)
    assert [row.model for row in comparison.rows] == ["d/x.tflite", "b/model.int8.tflite", "a/model.int8.tflite"]
    assert comparison.regressions == ()


def test_threads_belong_to_the_name() -> None:
    comparison = compare(results(result(), result(threads=2)), results(result(threads=4), result(threads=2)))
    assert [row.threads for row in comparison.rows] == [2]
    assert comparison.only_old == ("model.int8.tflite, 1 thread",)
    assert comparison.only_new == ("model.int8.tflite, 4 threads",)


def test_two_of_one_name_are_not_guessed() -> None:
    old = results(result("a/model.tflite"), result("y.tflite"))
    new = results(result("b/model.tflite"), result("c/model.tflite"), result("y.tflite"))
    comparison = compare(old, new)
    assert [row.model for row in comparison.rows] == ["y.tflite"]
    assert (len(comparison.only_old), len(comparison.only_new)) == (1, 2)


def test_paths_from_windows() -> None:
    assert len(compare(results(result(r"C:\run\a.tflite")), results(result("run/a.tflite"))).rows) == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("machine", "Raspberry Pi 5", "the machine was Raspberry Pi 4 and is Raspberry Pi 5"),
        ("architecture", "armv7l", "the architecture was aarch64"),
        ("cores", 2, "the usable cores was 4 and is 2"),
        ("runtime", "tflite_runtime 2.14.0", "is tflite_runtime 2.14.0"),
    ],
)
def test_other_machines(key: str, value: object, words: str) -> None:
    new = results(**{key: value})
    with pytest.raises(EdgeretrainError, match="cannot be compared") as caught:
        compare(results(), new)
    assert words in str(caught.value) and "--across-machines" in str(caught.value)
    assert words in compare(results(), new, across=True).differences[0]


def test_another_delegate() -> None:
    with pytest.raises(EdgeretrainError, match=r"delegate of model\.int8\.tflite, 1 thread was XNNPACK and is none"):
        compare(results(), results(result(delegate="none")))


def test_nothing_in_common() -> None:
    with pytest.raises(EdgeretrainError, match=r"no model .* in common"):
        compare(results(), results(result("other.tflite")))


@pytest.mark.parametrize("factor", [0.99, 0, -1, float("nan"), float("inf")])
def test_factors_that_make_no_sense(factor: float) -> None:
    with pytest.raises(EdgeretrainError, match="makes no sense"):
        compare(results(), results(), factor=factor)
