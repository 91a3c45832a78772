from report.plain import confusions, weakest_class

from edgeretrain.evaluation.figures import WeakestClass


def test_weakest_class_is_the_first_of_the_lowest_recall(report):
    assert weakest_class(report["models"][0]["evaluation"]) == WeakestClass(label="daisy", recall=0.9)
    assert weakest_class(report["models"][3]["evaluation"]) == WeakestClass(label="roses", recall=0.8)


def test_weakest_class_ignores_classes_without_test_photos(report):
    evaluation = report["models"][0]["evaluation"]
    evaluation["classes"][2]["recall"] = None
    assert weakest_class(evaluation) == WeakestClass(label="daisy", recall=0.9)
    for entry in evaluation["classes"]:
        entry["recall"] = None
    assert weakest_class(evaluation) is None


def test_confusions_come_most_photos_first_and_leave_the_diagonal_out(report):
    pairs = [(p.label, p.predicted, p.count, p.share) for p in confusions(report["models"][3]["evaluation"])]
    assert pairs == [("roses", "tulips", 2, 0.2), ("daisy", "tulips", 1, 0.1), ("tulips", "daisy", 1, 0.1)]
