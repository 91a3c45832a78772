import base64
import copy
import hashlib
import re

import pytest

from report.plain import mistaken, render_page

ODD = [
    "<script>alert(1)</script>",
    "quotes \" ' & <b>bold</b>",
    "{{ 7 * 7 }} {% raw %}",
    "ורד שושנה",
    "薔薇 🌹",
    "x" * 240,
    "javascript:alert(1)",
    "</style></title><img src=x onerror=alert(1)>",
]


def test_every_figure_of_the_models_table_is_the_reports(report, read_page):
    rows = read_page(render_page(report, {})).tables["models"][0]
    assert rows[1] == [
        "float32", "8,912,345", "93.3", "78.7–98.2", "100.0", "–", "–", "0.250", "2.1",
        "daisy 90.0", "model.float32.tflite",
    ]  # fmt: skip
    assert rows[4] == [
        "int8", "2,793,112", "86.7", "70.3–94.7", "100.0", "86.7", "+1 −3", "0.250", "2.1",
        "roses 80.0", "model.int8.tflite",
    ]  # fmt: skip
    assert len(rows) == 5


def test_the_headline_names_the_file_to_ship(report, read_page):
    text = " ".join(read_page(render_page(report, {})).text.split())
    assert "model.float16.tflite is 4.49 MB and gets 93.3 % of 30 test photos right." in text
    assert "expect 78.7 to 98.2 %" in text


def test_class_figures_and_matrices_are_the_reports(report, read_page):
    page = read_page(render_page(report, {}))
    assert page.tables["figures"][0][3] == [
        "roses", "10", "90.0", "90.0", "90.0", "90.0", "90.0", "90.0", "80.0", "100.0"
    ]  # fmt: skip
    assert [table[1:] for table in page.tables["matrix"]][3] == [
        ["daisy", "9", "·", "1"], ["roses", "·", "8", "2"], ["tulips", "1", "·", "9"]
    ]  # fmt: skip
    assert len(page.tables["matrix"]) == 4


def test_photos_skipped_warnings_options_and_card_are_told(report, read_page):
    page = read_page(render_page(report, {}))
    assert page.tables["counts"][0][1:] == [
        ["daisy", "80", "10", "10"], ["roses", "81", "10", "10"], ["tulips", "82", "10", "10"],
        ["All", "243", "30", "30"]
    ]  # fmt: skip
    assert page.tables["skipped"][0][1:] == [["daisy/broken.jpg", "truncated or damaged file"]]
    assert report["photos"]["warnings"][0] in page.text
    card = {row[0]: row[1:] for row in page.tables["card"][0]}
    assert card["flip_left_right"] == ["no"]
    assert card["weights.licence"] == ["Apache-2.0"]
    assert card["weights.source"] == ["a package <of> weights"]
    assert card["file"] == [model["file"] for model in report["models"]]


def test_every_mistake_of_every_model_appears(report, read_page):
    tags = read_page(render_page(report, {"daisy/0.jpg": b"jpeg"})).tags
    seen, photo = [], ""
    for tag, attributes in tags:
        if tag == "p" and attributes.get("class") == "file":
            photo = attributes["title"]
        if tag == "li" and "data-model" in attributes:
            seen.append((attributes["data-model"], photo, attributes["data-predicted"]))
    expected = [
        (model["precision"], mistake["photo"], mistake["predicted"])
        for model in report["models"]
        for mistake in model["evaluation"]["mistakes"]
    ]
    assert sorted(seen) == sorted(expected)


def test_a_photo_is_embedded_once_however_many_models_get_it_wrong(report):
    html = render_page(report, {"roses/3.jpg": b"the bytes of a JPEG"})
    assert html.count(base64.b64encode(b"the bytes of a JPEG").decode()) == 1
    assert "4 more, without thumbnails" in html


def test_self_contained(report, read_page):
    page = read_page(render_page(report, {"daisy/0.jpg": b"jpeg"}))
    for tag, attributes in page.tags:
        assert not {"srcset", "data", "action", "poster", "background"} & attributes.keys() or tag == "output"
        assert attributes.get("src", "data:").startswith("data:")
        assert attributes.get("href", "#").startswith(("#", "data:"))
        assert not any(key.startswith("on") for key in attributes)
        assert "url(" not in attributes.get("style", "")
    html = render_page(report, {})
    assert not re.search(r"https?:|//[a-z]|@import|url\(|fetch\(|XMLHttpRequest|import\(", re.sub(r"// .*", "", html))


def test_the_policy_allows_this_script_and_no_request(report, read_page):
    page = read_page(render_page(report, {}))
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_labels_never_become_markup(make_report, read_page):
    made = make_report(ODD, {"int8": {(row, 0): (row + 1) % len(ODD) for row in range(len(ODD))}})
    made["photos"]["warnings"] = list(ODD)
    made["photos"]["skipped"] = [{"photo": label, "reason": label} for label in ODD]
    made["models"][0]["backbone"]["source"] = {label: label for label in ODD}
    made["preset"] = ODD[7]
    page = read_page(render_page(made, {f"{label}/0.jpg": b"jpeg" for label in ODD}))
    plain = read_page(render_page(make_report([f"l{row}" for row in range(len(ODD))]), {}))
    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in plain.tags} | {"img", "p"}
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert sum(tag == "img" for tag, _ in page.tags) == len(ODD)
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    for label in ODD:
        assert [row[0] for row in page.tables["figures"][0]].count(label) == 1
        assert any(tag == "option" and attributes.get("value") == label for tag, attributes in page.tags)
        assert any(attributes.get("data-class") == label for _, attributes in page.tags)


def test_same_report_same_text(report):
    html = render_page(report, {"daisy/0.jpg": b"jpeg"})
    assert render_page(copy.deepcopy(report), {"daisy/0.jpg": b"jpeg"}) == html


def test_rendering_leaves_the_report_as_it_was(report):
    before = copy.deepcopy(report)
    render_page(report, {})
    assert report == before


def test_many_classes_show_the_most_confused_pairs(make_report, read_page):
    labels = [f"class {n:03d}" for n in range(150)]
    wrong = {(row, number): (row + 1) % 150 for row in range(60) for number in range(1 + (row == 42))}
    page = read_page(render_page(make_report(labels, {"float32": wrong, "int8": wrong}), {}))
    assert "matrix" not in page.tables
    pairs = page.tables["pairs"][1]
    assert pairs[1] == ["class 042", "class 043", "2", "20.0"]
    assert len(pairs) == 21
    assert "20 of 60 pairs" in page.text
    assert len(page.tables["figures"][0]) == 2 + 150


def test_a_thousand_mistakes_keep_the_page_small(make_report):
    wrong = {(row, number): (row + 1) % 3 for row in range(3) for number in range(340)}
    made = make_report(mistakes=dict.fromkeys(("float32", "float16", "dynamic", "int8"), wrong), per_class=500)
    names = [mistake.photo for mistake in mistaken(made)]
    html = render_page(made, {name: bytes(8000) for name in names[:200]})
    assert len(names) == 1020
    assert html.count("data:image/jpeg") == 200
    assert "820 more, without thumbnails" in html
    assert len(html.encode()) < 4_000_000


@pytest.mark.parametrize("precisions", [["int8"], ["float32"], ["float16", "int8"]])
def test_any_set_of_precisions(report, read_page, precisions):
    report["models"] = [model for model in report["models"] if model["precision"] in precisions]
    page = read_page(render_page(report, {}))
    assert [row[0] for row in page.tables["models"][0][1:]] == precisions
    assert any(tag == "svg" for tag, _ in page.tags) == (len(precisions) > 1)


def test_no_mistakes_no_skipped_no_warnings_no_preset(make_report, read_page):
    made = make_report(mistakes={"float32": {}, "int8": {}})
    made["photos"].update(skipped=[], warnings=[])
    made["preset"] = None
    page = read_page(render_page(made, {}))
    assert "None: every model gets every test photo right." in page.text
    assert "No photo was skipped." in page.text
    assert "Own backbone" in page.text
    assert not any(tag == "form" for tag, _ in page.tags)


def test_tables_have_headers_and_photos_have_alternative_texts(report, read_page):
    page = read_page(render_page(report, {"daisy/0.jpg": b"jpeg"}))
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == ["Test photo, class daisy"]
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {a["href"][1:] for t, a in page.tags if t == "a"} <= set(ids)
