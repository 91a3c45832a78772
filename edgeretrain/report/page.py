"""`report.html`: one page that opens anywhere, without a network, with or without JavaScript.

`template.html` is the page, `style.css` its looks, `filter.js` the filter over the mistakes; the last two are put into
the page as they are. The page's own Content-Security-Policy forbids every request and every script but that one.
"""

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

from edgeretrain.evaluation.figures import Confusion, WeakestClass, confusions, weakest_class
from edgeretrain.evaluation.intervals import wilson
from edgeretrain.evaluation.metrics import Evaluation
from edgeretrain.records.json_form import Json, to_json
from edgeretrain.records.training import ModelRecord, Report
from edgeretrain.report.chart import size_chart
from edgeretrain.report.figures import TOLERANCE, against_float32, mistaken, suggested
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
        report: of a retrain or a teach.
        thumbnails: JPEG bytes by name of the photo; mistakes without one are described in words.
    """
    from markupsafe import Markup

    script = read("filter.js")
    mistakes = mistaken(report)
    trainings = report.fine_tuning.trainings if report.fine_tuning else ()
    sets = (report.photos.training, report.photos.validation, report.photos.testing)
    pictures = {name: base64.b64encode(jpeg).decode() for name, jpeg in thumbnails.items()}
    return template("template.html").render(
        report=report,
        style=Markup(read("style.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        models=[_model(report, model) for model in report.models],
        ship=suggested(report),
        tolerance=round(100 * TOLERANCE),
        interval=_interval,
        chart=size_chart(report) if len(report.models) > 1 else None,
        classes=_classes(report),
        pictures=pictures,
        pictured=[mistake for mistake in mistakes if mistake.photo in pictures],
        unpictured=[mistake for mistake in mistakes if mistake.photo not in pictures],
        predicted=sorted({answer.predicted for mistake in mistakes for answer in mistake.answers}),
        counts=_counts(report),
        changes=changes(report),
        known=known_classes(report),
        verdict=verdict(report),
        distilled=distilled(report),
        tuned=tuned_models(report),
        curve=training_curve(report),
        trainings=trainings,
        epochs=sum(training.history[-1].epoch for training in trainings),
        totals=[sum(per_class.values()) for per_class in sets],
        long_table=LONG_TABLE,
        options=flat(_options(report)),
        card=_card(report),
    )


def _interval(evaluation: Evaluation) -> tuple[str, str]:
    low, high = wilson(evaluation.top1, evaluation.photos)
    return percent(low), percent(high)


Matrix = list[tuple[str, list[tuple[int, str]]]]


@dataclass(frozen=True)
class _Model:
    """A model, and what the page says of it besides.

    Attributes:
        interval: low and high end of the 95 % interval of top-1, percent.
        against: see `against_float32`.
        matrix: see `_matrix`; None: there are too many classes.
        pairs: the most confused ones, of `all_pairs`.
    """

    record: ModelRecord
    interval: tuple[str, str]
    weakest: WeakestClass | None
    against: tuple[int, int] | None
    matrix: Matrix | None
    pairs: list[Confusion]
    all_pairs: int


def _model(report: Report, model: ModelRecord) -> _Model:
    evaluation = model.evaluation
    pairs = confusions(evaluation)
    return _Model(
        model,
        _interval(evaluation),
        weakest_class(evaluation),
        against_float32(report, model),
        _matrix(evaluation) if len(evaluation.classes) <= MOST_CLASSES_IN_MATRIX else None,
        pairs[:MOST_PAIRS],
        len(pairs),
    )


def _matrix(evaluation: Evaluation) -> Matrix:
    """Per true class its label and (photos, strength of the colour) for every predicted class.

    The colour goes with the square root of the share of the class, so that single mistakes are seen.
    """
    return [
        (figures.label, [(count, f"{math.sqrt(count / max(1, sum(counts))):.2f}") for count in counts])
        for figures, counts in zip(evaluation.classes, evaluation.confusion, strict=True)
    ]


@dataclass(frozen=True)
class _Class:
    """A class: its test photos, and for each model (precision, recall)."""

    label: str
    photos: int
    figures: list[tuple[float | None, float | None]]


def _classes(report: Report) -> list[_Class]:
    rows = zip(*(model.evaluation.classes for model in report.models), strict=True)
    return [
        _Class(row[0].label, row[0].photos, [(figures.precision, figures.recall) for figures in row]) for row in rows
    ]


def _counts(report: Report) -> list[tuple[str, list[int], str]]:
    """Per class: label; photos for training, validation, testing; training photos relative to the largest class."""
    photos = report.photos
    sets = (photos.training, photos.validation, photos.testing)
    rows = [(label, [per_class.get(label, 0) for per_class in sets]) for label in photos.labels]
    most = max((numbers[0] for _, numbers in rows), default=0) or 1
    return [(label, numbers, f"{numbers[0] / most:.3f}") for label, numbers in rows]


def _card(report: Report) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """Groups of (key, one value per model, or a single one where all models agree)."""
    models = report.models
    groups = [
        ("File", [_pairs({"file": model.file, "bytes": model.bytes, "sha256": model.sha256}) for model in models]),
        ("Head", [_pairs(to_json(model.head)) for model in models]),
        ("Backbone", [_pairs(to_json(model.backbone)) for model in models]),
    ]
    card = []
    for title, columns in groups:
        rows = []
        for key in dict.fromkeys(key for column in columns for key in column):
            values = [column.get(key, NONE) for column in columns]
            rows.append((key, values[:1] if len(set(values)) == 1 else values))
        card.append((title, rows))
    return card


def _pairs(values: Mapping[str, Json]) -> dict[str, str]:
    return dict(flat(values))


def _options(report: Report) -> dict[str, Json]:
    options = to_json(report.options)
    return options if report.fine_tuning is None else {**options, "fine_tune": to_json(report.fine_tuning.options)}
