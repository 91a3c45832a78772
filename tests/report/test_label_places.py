from edgeretrain.report.label_places import Place, place_at, place_labels

BESIDE = [("start", 0.0), ("end", 0.0)]
AREA = (0.0, 0.0, 200.0, 100.0)


def places(labels: list[str], points: list[tuple[float, float]], **options: object) -> list[Place | None]:
    options = {"offsets": BESIDE, "letter": 6, "line": 10, **options}
    return place_labels(labels, points, AREA, **options)  # type: ignore[arg-type]


def test_a_label_stands_at_the_first_offset_that_is_free() -> None:
    assert places(["abc"], [(50, 50)]) == [place_at((50, 50), ("start", 0), 10)] == [Place(56, 52.5, "start")]
    assert places(["abc"], [(50, 50)], kept_free=[(60, 40, 61, 60)]) == [Place(44, 52.5, "end")]
    assert places(["abc"], [(50, 50)], offsets=[("end", -2.0)]) == [Place(44, 32.5, "end")]


def test_labels_stay_inside_the_area_and_are_left_out_where_they_cannot() -> None:
    assert places(["abc"], [(190, 50)]) == [Place(184, 52.5, "end")]
    assert places(["abc"], [(5, 50)]) == [Place(11, 52.5, "start")]
    assert places(["abc"], [(50, 2)]) == [None]
    assert places(["x" * 40, ""], [(50, 50), (100, 50)]) == [None, None]


def test_labels_do_not_cover_each_other_and_the_first_goes_before_the_others() -> None:
    points = [(100.0, 50.0), (101.0, 50.0)]
    right, left = Place(106, 52.5, "start"), Place(95, 52.5, "end")
    assert places(["one", "two"], points) == [right, left]
    assert places(["one", "two"], points, offsets=BESIDE[:1], first=1) == [None, Place(107, 52.5, "start")]
    blocked = {"kept_free": [(0, 40, 200, 60)], "first": 1, "more_offsets": [("start", 2.0)]}
    assert places(["one", "two"], points, **blocked) == [None, Place(107, 72.5, "start")]
