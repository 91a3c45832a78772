from edgeretrain.evaluation.figures import against_float32, confusions, mistaken, suggested, weakest_class


def test_weakest_class_is_the_first_of_the_lowest_recall(report):
    assert weakest_class(report["models"][0]["evaluation"]) == ("daisy", 0.9)
    assert weakest_class(report["models"][3]["evaluation"]) == ("roses", 0.8)


def test_weakest_class_ignores_classes_without_test_photos(report):
    evaluation = report["models"][0]["evaluation"]
    evaluation["classes"][2]["recall"] = None
    assert weakest_class(evaluation) == ("daisy", 0.9)
    for entry in evaluation["classes"]:
        entry["recall"] = None
    assert weakest_class(evaluation) is None


def test_confusions_come_most_photos_first_and_leave_the_diagonal_out(report):
    pairs = [(p.label, p.predicted, p.count, p.share) for p in confusions(report["models"][3]["evaluation"])]
    assert pairs == [("roses", "tulips", 2, 0.2), ("daisy", "tulips", 1, 0.1), ("tulips", "daisy", 1, 0.1)]


def test_suggested_is_the_smallest_file_within_one_point(report):
    # float32 and float16: 28 of 30 right; dynamic 27, int8 26: more than one point behind.
    assert suggested(report)["precision"] == "float16"
    report["models"][3]["evaluation"]["top1"] = report["models"][0]["evaluation"]["top1"] - 0.01
    assert suggested(report)["precision"] == "int8"


def test_against_float32_counts_photos_won_and_lost(report):
    assert [against_float32(report, model) for model in report["models"]] == [None, (0, 0), (0, 1), (1, 3)]
    del report["models"][0]
    assert against_float32(report, report["models"][2]) is None


def test_mistaken_gathers_the_models_of_each_photo(report):
    mistakes = mistaken(report)
    assert {mistake.photo for mistake in mistakes} == {
        "daisy/0.jpg", "daisy/1.jpg", "roses/3.jpg", "roses/4.jpg", "tulips/5.jpg"
    }  # fmt: skip
    by_photo = {mistake.photo: mistake for mistake in mistakes}
    assert [line[:2] for line in by_photo["daisy/0.jpg"].said] == [
        ("float32", "roses"), ("float16", "roses"), ("dynamic", "roses")
    ]  # fmt: skip
    assert sum(len(mistake.said) for mistake in mistakes) == sum(
        len(m["evaluation"]["mistakes"]) for m in report["models"]
    )


def test_mistaken_puts_the_most_confident_first_then_goes_by_name(report):
    scores = [(-each.score, each.photo) for each in mistaken(report)]
    assert scores == sorted(scores)
    assert [each.photo for each in mistaken(report)][:2] == ["daisy/0.jpg", "daisy/1.jpg"]
