"""`report.html`: one page that opens anywhere, without a network, with or without JavaScript.

`template.html` is the page, `style.css` its looks, `filter.js` the filter over the mistakes; the last two are put into
the page as they are. The page's own Content-Security-Policy forbids every request and every script but that one.
"""

import base64
import hashlib
import math
from collections.abc import Mapping
from typing import Any

from edgeretrain.evaluation.figures import (
    TOLERANCE,
    Evaluation,
    Report,
    against_float32,
    confusions,
    mistaken,
    suggested,
    weakest_class,
)
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.report.chart import size_chart
from edgeretrain.report.taught import changes, known_classes
from edgeretrain.report.templates import read, template
from edgeretrain.report.text import NONE, flat, percent
from edgeretrain.report.training_curve import training_curve
from edgeretrain.report.tuned import distilled, tuned_models, verdict

MOST_CLASSES_IN_MATRIX = 24
MOST_PAIRS = 20
LONG_TABLE = 40
"""Rows above which a table starts folded."""


def render_page(report: Report, thumbnails: Mapping[str, bytes]) -> str:
    """The report as HTML: the same report and thumbnails give the same text.

    Args:
        report: what `report.json` holds.
        thumbnails: JPEG bytes by name of the photo; mistakes without one are described in words.
    """
    from markupsafe import Markup

    script = read("filter.js")
    mistakes = mistaken(report)
    trainings = report.get("fine_tuning", {}).get("trainings", [])
    pictures = {name: base64.b64encode(jpeg).decode() for name, jpeg in thumbnails.items()}
    return template("template.html").render(
        report=report,
        style=Markup(read("style.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        models=[_model(report, model) for model in report["models"]],
        ship=suggested(report),
        tolerance=round(100 * TOLERANCE),
        interval=_interval,
        chart=size_chart(report) if len(report["models"]) > 1 else None,
        classes=_classes(report),
        pictures=pictures,
        pictured=[mistake for mistake in mistakes if mistake.photo in pictures],
        unpictured=[mistake for mistake in mistakes if mistake.photo not in pictures],
        predicted=sorted({line[1] for mistake in mistakes for line in mistake.said}),
        counts=_counts(report),
        changes=changes(report),
        known=known_classes(report),
        verdict=verdict(report),
        distilled=distilled(report),
        tuned=tuned_models(report),
        curve=training_curve(report),
        trainings=trainings,
        epochs=sum(training["history"][-1]["epoch"] for training in trainings),
        totals={part: sum(report["photos"][part].values()) for part in ("training", "validation", "testing")},
        long_table=LONG_TABLE,
        options=list(flat({**report["options"], **_tuning_options(report)})),
        card=_card(report),
    )


def _interval(evaluation: Evaluation) -> tuple[str, str]:
    low, high = wilson(evaluation["top1"], evaluation["photos"])
    return percent(low), percent(high)


def _model(report: Report, model: dict[str, Any]) -> dict[str, Any]:
    evaluation = model["evaluation"]
    pairs = confusions(evaluation)
    return {
        **model,
        "interval": _interval(evaluation),
        "weakest": weakest_class(evaluation),
        "against": against_float32(report, model),
        "matrix": _matrix(evaluation) if len(evaluation["classes"]) <= MOST_CLASSES_IN_MATRIX else None,
        "pairs": pairs[:MOST_PAIRS],
        "all_pairs": len(pairs),
    }


def _matrix(evaluation: Evaluation) -> list[tuple[str, list[tuple[int, str]]]]:
    """Per true class its label and (photos, strength of the colour) for every predicted class.

    The colour goes with the square root of the share of the class, so that single mistakes are seen.
    """
    return [
        (entry["label"], [(count, f"{math.sqrt(count / max(1, sum(counts))):.2f}") for count in counts])
        for entry, counts in zip(evaluation["classes"], evaluation["confusion"], strict=True)
    ]


def _classes(report: Report) -> list[dict[str, Any]]:
    """A row per class: its label, its test photos, and per model (precision, recall)."""
    evaluations = [model["evaluation"]["classes"] for model in report["models"]]
    return [
        {
            "label": row[0]["label"],
            "photos": row[0]["photos"],
            "figures": [(entry["precision"], entry["recall"]) for entry in row],
        }
        for row in zip(*evaluations, strict=True)
    ]


def _counts(report: Report) -> list[tuple[str, list[int], str]]:
    """Per class: label; photos for training, validation, testing; training photos relative to the largest class."""
    photos = report["photos"]
    rows = [
        (label, [photos[part].get(label, 0) for part in ("training", "validation", "testing")])
        for label in photos["labels"]
    ]
    most = max((numbers[0] for _, numbers in rows), default=0) or 1
    return [(label, numbers, f"{numbers[0] / most:.3f}") for label, numbers in rows]


def _card(report: Report) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Groups of (key, one value per model, or a single one where all models agree)."""
    models = report["models"]
    groups: list[tuple[str, list[dict[str, str]]]] = [
        ("File", [dict(flat({key: m[key] for key in ("file", "bytes", "sha256")})) for m in models]),
        ("Head", [dict(flat(m["head"])) for m in models]),
        ("Backbone", [dict(flat(m["backbone"])) for m in models]),
    ]
    card = []
    for title, columns in groups:
        rows = []
        for key in dict.fromkeys(key for column in columns for key in column):
            values = [column.get(key, NONE) for column in columns]
            rows.append((key, values[:1] if len(set(values)) == 1 else values))
        card.append((title, rows))
    return card


def _tuning_options(report: Report) -> dict[str, Any]:
    return {"fine_tune": report["fine_tuning"]["options"]} if "fine_tuning" in report else {}
