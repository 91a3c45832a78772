from support.plain import as_report

from edgeretrain.report.figures import against_float32
from report.plain import mistaken, suggested


def test_suggested_is_the_smallest_file_within_one_point(report):
    # float32 and float16: 28 of 30 right; dynamic 27, int8 26: more than one point behind.
    assert suggested(report).precision == "float16"
    report["models"][3]["evaluation"]["top1"] = report["models"][0]["evaluation"]["top1"] - 0.01
    assert suggested(report).precision == "int8"


def test_against_float32_counts_photos_won_and_lost(report):
    made = as_report(report)
    assert [against_float32(made, model) for model in made.models] == [None, (0, 0), (0, 1), (1, 3)]
    del report["models"][0]
    assert against_float32(as_report(report), as_report(report).models[2]) is None


def test_mistaken_gathers_the_models_of_each_photo(report):
    mistakes = mistaken(report)
    assert {mistake.photo for mistake in mistakes} == {
        "daisy/0.jpg", "daisy/1.jpg", "roses/3.jpg", "roses/4.jpg", "tulips/5.jpg"
    }  # fmt: skip
    by_photo = {mistake.photo: mistake for mistake in mistakes}
    assert [(answer.precision, answer.predicted) for answer in by_photo["daisy/0.jpg"].answers] == [
        ("float32", "roses"), ("float16", "roses"), ("dynamic", "roses")
    ]  # fmt: skip
    assert sum(len(mistake.answers) for mistake in mistakes) == sum(
        len(m["evaluation"]["mistakes"]) for m in report["models"]
    )


def test_mistaken_puts_the_most_confident_first_then_goes_by_name(report):
    scores = [(-mistake.score, mistake.photo) for mistake in mistaken(report)]
    assert scores == sorted(scores)
    assert [mistake.photo for mistake in mistaken(report)][:2] == ["daisy/0.jpg", "daisy/1.jpg"]
