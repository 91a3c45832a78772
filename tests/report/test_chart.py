from report.plain import size_chart


def test_points_stand_by_size_and_accuracy(report):
    chart = size_chart(report)
    points = {point.name: point for point in chart.points}
    assert points["dynamic"].x < points["int8"].x < points["float16"].x < points["float32"].x
    assert points["float32"].y == points["float16"].y < points["dynamic"].y < points["int8"].y
    for point in chart.points:
        assert point.high < point.y < point.low <= chart.bottom
        assert chart.left <= point.x <= chart.right


def test_ticks_state_the_scale_of_the_points(report):
    chart = size_chart(report)
    first, last = chart.sizes[0], chart.sizes[-1]
    per_megabyte = (last.at - first.at) / (float(last.text) - float(first.text))
    point = next(point for point in chart.points if point.name == "float32")
    assert abs(point.x - (first.at + per_megabyte * 8.912345)) < 0.2
    low, high = chart.accuracies[0], chart.accuracies[-1]
    per_percent = (high.at - low.at) / (float(high.text) - float(low.text))
    assert abs(point.y - (low.at + per_percent * (100 * 28 / 30 - float(low.text)))) < 0.2


def test_names_of_models_of_nearly_the_same_size_and_accuracy_do_not_overlap(report):
    for model in report["models"]:
        model["evaluation"]["top1"] = 0.9
        model["bytes"] = 2_612_340 + len(model["precision"])
    places = {(point.text_x, point.text_y, point.anchor) for point in size_chart(report).points}
    assert len(places) == 4


def test_perfect_and_hopeless_models_have_a_scale_too(report):
    for model, top1 in zip(report["models"], (1.0, 1.0, 0.0, 0.0), strict=True):
        model["evaluation"]["top1"] = top1
    chart = size_chart(report)
    assert [tick.text for tick in chart.accuracies] == ["0", "20", "40", "60", "80", "100"]
