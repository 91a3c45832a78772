"""A small report with known figures, and a reader of pages."""

import copy
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from typing import Any

import pytest

LABELS = ("daisy", "roses", "tulips")
Report = dict[str, Any]
MakeReport = Callable[..., Report]

# Per model: photo -> predicted class of its mistakes. 10 test photos per class, 0.jpg to 9.jpg.
MISTAKES = {
    "float32": {(0, 0): 1, (1, 3): 2},
    "float16": {(0, 0): 1, (1, 3): 2},
    "dynamic": {(0, 0): 1, (1, 3): 0, (2, 5): 0},
    "int8": {(0, 1): 2, (1, 3): 2, (1, 4): 2, (2, 5): 0},
}
BYTES = {"float32": 8_912_345, "float16": 4_489_012, "dynamic": 2_612_340, "int8": 2_793_112}


def model(labels: Sequence[str], precision: str, wrong: dict[tuple[int, int], int], per_class: int) -> Report:
    k = len(labels)
    confusion = [[per_class if row == column else 0 for column in range(k)] for row in range(k)]
    mistakes = []
    for index, ((row, number), column) in enumerate(sorted(wrong.items())):
        confusion[row][row] -= 1
        confusion[row][column] += 1
        mistakes.append(
            {
                "photo": f"{labels[row]}/{number}.jpg",
                "label": labels[row],
                "predicted": labels[column],
                "score": round(0.9 - 0.07 * (index % 6), 2),
                "label_score": 0.05,
            }
        )
    said = [sum(confusion[row][column] for row in range(k)) for column in range(k)]
    reference = MISTAKES["float32"]
    same = sum(reference.get(key) == wrong.get(key) for key in {*reference, *wrong})
    photos = k * per_class
    return {
        "precision": precision,
        "file": f"model.{precision}.tflite",
        "bytes": BYTES[precision],
        "sha256": precision.encode().hex().ljust(64, "0"),
        "backbone": {
            "sha256": "ab" * 32,
            "weights": {"source": "a package <of> weights", "licence": "Apache-2.0"},
        },
        "head": {
            "method": "L2 logistic regression",
            "l2": 0.01,
            "validation_log_loss": 0.3,
            "validation_top1": 0.9,
        },
        "reject_below": 0.4,
        "evaluation": {
            "photos": photos,
            "top1": 1 - len(wrong) / photos,
            "top3": 1.0,
            "log_loss": 0.25,
            "calibration_error": 0.021,
            "agreement_with_float32": None
            if precision == "float32"
            else 1 - (len({*reference, *wrong}) - same) / photos,
            "classes": [
                {
                    "label": label,
                    "photos": per_class,
                    "precision": confusion[row][row] / said[row] if said[row] else None,
                    "recall": confusion[row][row] / per_class,
                }
                for row, label in enumerate(labels)
            ],
            "confusion": confusion,
            "mistakes": mistakes,
        },
    }


@pytest.fixture
def make_report() -> MakeReport:
    def make(
        labels: Sequence[str] = LABELS,
        mistakes: dict[str, dict[tuple[int, int], int]] = MISTAKES,
        per_class: int = 10,
    ) -> Report:
        return {
            "edgeretrain": "0.1.0",
            "preset": "mobilenet_v2_100_224",
            "runtime": "ai_edge_litert 2.3.0",
            "options": {"fit": "squash", "seed": 0, "flip_left_right": False},
            "photos": {
                "digest": "cd" * 32,
                "labels": list(labels),
                "training": {label: 8 * per_class + index for index, label in enumerate(labels)},
                "validation": dict.fromkeys(labels, per_class),
                "testing": dict.fromkeys(labels, per_class),
                "skipped": [{"photo": f"{labels[0]}/broken.jpg", "reason": "truncated or damaged file"}],
                "warnings": [f"{labels[0]}/a.jpg and {labels[1]}/b.jpg are the same photo."],
            },
            "models": [model(labels, precision, wrong, per_class) for precision, wrong in mistakes.items()],
        }

    return make


@pytest.fixture
def report(make_report: MakeReport) -> Report:
    return make_report()


class Page(HTMLParser):
    """What a page holds.

    Attributes:
        tags: (tag, attributes) of every start tag, in order.
        tables: by class, every table's rows of cell texts.
        text: everything a reader sees.
        script: what is inside script elements.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[list[str]]]] = {}
        self.text = ""
        self.script = ""
        self._inside = ""
        self._cell: list[str] | None = None
        self._rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        self.tags.append((tag, attributes))
        if tag in ("script", "style"):
            self._inside = tag
        elif tag == "table":
            self._rows = []
            self.tables.setdefault(attributes.get("class", ""), []).append(self._rows)
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._cell = self._rows[-1]
            self._cell.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self._inside = ""
        elif tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.script += data
        elif not self._inside:
            self.text += data
            if self._cell is not None:
                self._cell[-1] += data


@pytest.fixture
def read_page() -> Callable[[str], Page]:
    return Page


@pytest.fixture
def tuned(report: Report) -> Report:
    """`report` as if its models had been tuned: frozen, each had another photo wrong and one more."""
    report["fine_tuning"] = {
        "options": {"layers": 20, "epochs": 12, "learning_rate": 0.0003, "mirror": True},
        "averaged": [0],
        **{"validation_log_loss": 0.5, "validation_error": 0.05, "validation_top1": 0.83},
        "trainings": [training((0.61, 0.64, 0.52, 0.5, 0.53), best=3)],
    }
    for model in report["models"]:
        before = copy.deepcopy(model["evaluation"])
        more = [{**before["mistakes"][0], "photo": f"tulips/{number}.jpg", "label": "tulips"} for number in (8, 9)]
        before["mistakes"] = [*before["mistakes"][1:], *more]
        before["top1"] -= 1 / 30
        before["log_loss"], before["calibration_error"] = 0.375, 0.04
        model["frozen"] = {"bytes": model["bytes"] + 8, "head": model["head"], "evaluation": before}
    return report


def training(losses: Sequence[float], *, best: int, seed: int = 0) -> Report:
    return {
        **{"seed": seed, "best_epoch": best},
        "history": [
            {
                "epoch": epoch,
                "training_loss": None if epoch == 0 else 0.9 - 0.1 * epoch,
                "validation_log_loss": loss,
                "validation_error": 0.05,
                "validation_top1": 0.8 + 0.01 * epoch,
            }
            for epoch, loss in enumerate(losses)
        ],
    }


@pytest.fixture
def soup(tuned: Report) -> Report:
    """The same after three trainings, of which the second was in vain."""
    told = tuned["fine_tuning"]
    told["trainings"] += [training((0.61, 0.7), best=0, seed=1), training((0.61, 0.58, 0.51), best=2, seed=2)]
    told.update(averaged=[0, 2], validation_log_loss=0.47)
    return tuned
