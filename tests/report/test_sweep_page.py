import base64
import copy
import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.backbone.families import FAMILIES
from edgeretrain.backbone.presets import PRESETS
from edgeretrain.sweep.budget import Budget
from report.plain import budget_text, failures, miss_text, render_sweep_page, short_name
from report.sweep_sample import PHOTOS, make_sweep

REPORT = Path(__file__).parents[2] / "edgeretrain" / "report"
THREE = ("mobilenet_v1_100_224", "mobilenet_v2_100_224", "mobilenet_v2_035_128")
BUDGET = Budget(max_size=3_000_000, max_latency=20.0, min_accuracy=0.8)
NO_WEIGHTS = "no weights in EDGERETRAIN_WEIGHTS, and no network"
FAILED = [
    {"preset": name, "precision": None, "stage": "backbone", "reason": f"{name}: {NO_WEIGHTS}"}
    for name in ("mobilenet_v2_035_128", "nasnet_mobile")
] + [{"preset": THREE[1], "precision": "int8", "stage": "latency", "reason": "the process was killed"}]
ODD = "</script><img src=x onerror=alert(1)> & \" ' {{ 7 * 7 }}"


def columns(page: Any) -> list[dict[str, str]]:
    """The rows of the table, cell texts by heading."""
    heads, *rows = page.tables["sweep"][0]
    return [dict(zip((" ".join(head.split()) for head in heads), row, strict=True)) for row in rows]


def links(page: Any) -> list[str]:
    return [attributes["href"] for tag, attributes in page.tags if tag == "a" and "href" in attributes]


def test_every_model_has_a_row_with_its_figures(read_page: Any) -> None:
    sweep = make_sweep(THREE, budget=BUDGET)
    rows = columns(read_page(render_sweep_page(sweep)))
    assert len(rows) == 12
    for row, candidate in zip(rows, sweep["candidates"], strict=True):
        assert row["Model"] == candidate["preset"]
        assert row["Precision"].strip() == candidate["precision"]
        assert row["Bytes"] == f"{candidate['bytes']:,}"
        assert row["Top-1 %"] == f"{100 * candidate['top1']:.1f}"
        assert row["95 % interval"] == "–".join(f"{100 * end:.1f}" for end in candidate["interval"])
        assert row["Median ms"] == f"{candidate['latency_ms']:.2f}"
        assert row["MACs M"] == f"{candidate['macs'] / 1e6:.1f}"
        assert row["Weakest class, its recall %"] == f"{candidate['weakest']['label']} 75.0"
        assert row["Pareto front"] == ", ".join(name for name in ("size", "latency") if candidate["front"][name])
        assert row["Misses"] == ("\n".join(map(miss_text, candidate["misses"])) or "fits")


def test_every_model_is_a_point_in_both_pictures_that_leads_to_its_report(read_page: Any) -> None:
    sweep = make_sweep(THREE)
    page = read_page(render_sweep_page(sweep))
    dots = [(a["data-row"], a["href"]) for tag, a in page.tags if tag == "a" and a.get("class", "").startswith("dot")]
    expected = [(str(row), f"./{one['report']}") for row, one in enumerate(sweep["candidates"])]
    assert dots == expected * 2
    assert [href for href in links(page) if href.startswith("./")][1:13] == [href for _, href in expected]


def test_the_pick_stands_on_top_with_its_reason_and_interval(read_page: Any) -> None:
    sweep = make_sweep(THREE, budget=BUDGET)
    page = read_page(render_sweep_page(sweep))
    text = " ".join(page.text.split())
    assert f"Pick: {sweep['pick']['preset']} {sweep['pick']['precision']} {sweep['pick']['reason']}" in text
    assert f"the 95 % interval that {PHOTOS} test photos allow" in text
    assert "at most 3,000,000 bytes, at most 20 ms (1 thread, ssh://pi@garden), at least 80 % top-1." in text
    assert sweep["latency"]["warnings"][0] in text
    assert [a.get("class") for tag, a in page.tags if tag == "tr"].count("chosen") == 1


def test_the_nearest_miss_stands_there_when_nothing_fits(read_page: Any) -> None:
    sweep = make_sweep(THREE, budget=Budget(max_size=1000))
    text = " ".join(read_page(render_sweep_page(sweep)).text.split())
    assert "No model meets the budget. Nearest: " + sweep["nearest"]["preset"] in text
    assert "at most 1,000 allowed" in text


def test_without_budget_and_latency(read_page: Any) -> None:
    page = read_page(render_sweep_page(make_sweep(THREE, latency=False)))
    assert "No budget was set. Latency was not measured." in " ".join(page.text.split())
    assert not {"Misses", "Median ms", "Memory MB", "Zipped bytes"} & columns(page)[0].keys()
    assert [tag for tag, _ in page.tags].count("figure") == 1


@pytest.mark.parametrize("failed", [[], FAILED])
def test_without_any_model(read_page: Any, failed: list[dict[str, Any]]) -> None:
    page = read_page(render_sweep_page(make_sweep([], latency=False, failed=failed)))
    assert "No model was made." in page.text
    assert "sweep" not in page.tables
    assert ("missing" in page.tables) == bool(failed)


def test_what_failed_and_why_stands_together_by_reason(read_page: Any) -> None:
    sweep = make_sweep(THREE, failed=FAILED)
    page = read_page(render_sweep_page(sweep))
    assert page.tables["missing"][0][1:] == [
        ["no backbone", "mobilenet_v2_035_128, nasnet_mobile", NO_WEIGHTS],
        ["not measured", "mobilenet_v2_100_224 (int8)", "the process was killed"],
    ]
    silent = next(row for row in columns(page) if row["Precision"].strip() == "int8" and row["Model"] == THREE[1])
    assert (silent["Median ms"], silent["p90 ms"], silent["Zipped bytes"]) == ("failed", "–", "–")
    assert sum(a.get("class", "").startswith("dot") for tag, a in page.tags if tag == "a") == 8 + 7


def test_the_machine_the_options_and_the_budget_are_told(read_page: Any) -> None:
    page = read_page(render_sweep_page(make_sweep(THREE, budget=BUDGET)))
    told = {row[0]: row[1] for row in page.tables["card"][0] if len(row) == 2}
    assert told["board"] == "Raspberry Pi 4 Model B Rev 1.4"
    assert (told["fit"], told["max_size"]) == ("squash", "3,000,000")
    assert told["labels"] == "daisy, dandelion, roses, sunflowers, tulips"


def test_self_contained(read_page: Any) -> None:
    html = render_sweep_page(make_sweep(THREE, budget=BUDGET, failed=FAILED))
    for _, attributes in read_page(html).tags:
        assert not {"src", "srcset", "data", "action", "poster", "background"} & attributes.keys()
        assert attributes.get("href", "#").startswith(("#", "data:", "./"))
        assert not any(key.startswith("on") for key in attributes)
    assert not re.search(r"https?:|@import|url\(|fetch\(|XMLHttpRequest|import\(|eval\(|innerHTML", html)


def test_the_policy_allows_this_script_and_no_request(read_page: Any) -> None:
    page = read_page(render_sweep_page(make_sweep(THREE)))
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(page.script.encode()).digest()).decode()
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_nothing_becomes_markup(read_page: Any) -> None:
    sweep = make_sweep(THREE, labels=[ODD, ODD + "2"], budget=BUDGET, failed=FAILED)
    plain = read_page(render_sweep_page(sweep))
    sweep["failed"][0] = {**sweep["failed"][0], "reason": ODD}
    sweep["pick"] = {**sweep["pick"], "reason": ODD}
    sweep["latency"].update(where=ODD, warnings=[ODD])
    for key in ("machine", "board", "cpu", "os", "kernel", "runtime"):
        sweep["latency"]["environment"][key] = ODD
    sweep["budget"]["device"] = ODD
    for candidate in sweep["candidates"]:
        candidate.update(architecture=ODD, report="javascript:alert(1)//" + ODD, latency_error=ODD)
    page = read_page(render_sweep_page(sweep))
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in plain.tags}
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert all(href.startswith(("#", "./javascript%3Aalert")) for href in links(page))
    assert page.text.count(ODD) > 20


def test_same_sweep_same_text_and_the_sweep_is_left_alone() -> None:
    sweep = make_sweep(THREE, budget=BUDGET, failed=FAILED)
    before = copy.deepcopy(sweep)
    html = render_sweep_page(sweep)
    assert sweep == before
    assert render_sweep_page(before) == html


def test_all_presets_in_all_precisions_stay_small(read_page: Any) -> None:
    html = render_sweep_page(make_sweep(budget=BUDGET))
    assert len(html.encode()) < 600_000
    page = read_page(html)
    assert len(columns(page)) == 156
    identifiers = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identifiers) == len(set(identifiers))
    assert {href[1:] for href in links(page) if href.startswith("#")} <= set(identifiers)
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")


@pytest.mark.parametrize(
    ("preset", "name"),
    [
        ("mobilenet_v1_100_224", "V1 1.0/224 int8"),
        ("mobilenet_v2_035_96", "V2 0.35/96 int8"),
        ("nasnet_mobile", "NASNet int8"),
        ("inception_v3", "Inception int8"),
    ],
)
def test_short_names(preset: str, name: str) -> None:
    assert short_name(make_sweep([preset], ["int8"])["candidates"][0]) == name


def test_short_names_of_what_is_no_row_of_the_table() -> None:
    (candidate,) = make_sweep(["mobilenet_v1_025_128"], ["int8"])["candidates"]
    assert short_name({**candidate, "preset": "mobilenet_v1_025_128_logits"}) == "V1 0.25/128 logits int8"
    assert short_name({**candidate, "preset": "garden", "precision": "float16"}) == "garden float16"


def test_every_family_and_own_backbones_have_a_colour_that_no_style_sheet_names() -> None:
    one_each = [next(name for name, preset in PRESETS.items() if preset.family is family) for family in FAMILIES]
    sweep = make_sweep([*one_each, "mobilenet_v2_100_224"], ["int8"])
    sweep["candidates"][-1].update(preset="garden", architecture="theirs")
    html = render_sweep_page(sweep)
    sheet = "".join(path.read_text() for path in REPORT.glob("*.css"))
    classes = re.findall(r'class="dot (family-\w+)', html)[: len(FAMILIES) + 1]
    assert classes == [*(f"family-{family.name}" for family in FAMILIES), "family-own"]
    for family in FAMILIES:
        assert f".family-{family.name} {{ color: {family.light}; }}" in html
        assert f"  .family-{family.name} {{ color: {family.dark}; }}" in html
        assert f"</svg> {family.title}</span>" in html
        assert not any(text in sheet for text in (family.name, family.light, family.dark))
    light, dark = re.findall(r"\.family-own \{ color: (#\w{6}); \}", html)
    assert light not in {family.light for family in FAMILIES}
    assert dark not in {family.dark for family in FAMILIES}
    assert "</svg> your own backbones</span>" in html
    only = render_sweep_page(make_sweep([one_each[0]]))
    assert set(re.findall(r"\.(family-\w+)", only)) == {f"family-{FAMILIES[0].name}"}


@pytest.mark.parametrize(
    ("budget", "by", "text"),
    [
        ("max_size", 1.73, "size x1.73"),
        ("max_latency", 42.04, "latency x42.0"),
        ("max_latency", None, "latency unknown"),
        ("min_accuracy", 0.031, "top-1 -3.1"),
    ],
)
def test_misses_in_words(budget: str, by: float | None, text: str) -> None:
    assert miss_text({"budget": budget, "by": by}) == text


def test_budgets_in_words() -> None:
    assert budget_text(make_sweep(THREE)) == ""
    assert budget_text(make_sweep(THREE, budget=Budget(min_accuracy=0.905))) == "at least 90.5 % top-1"


def test_failures_name_the_precisions_of_one_preset_together() -> None:
    failed = [{"preset": "a", "precision": one, "stage": "retrain", "reason": "crashed"} for one in ("dynamic", "int8")]
    assert list(failures(make_sweep([], failed=failed))) == [("not retrained", "crashed", ["a (dynamic, int8)"])]
