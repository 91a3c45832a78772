"""The functions of reports, taking plain JSON: tests change one key of a report and look at what becomes of it."""

from collections.abc import Callable
from typing import Any

from edgeretrain.evaluation import figures as of_evaluations
from edgeretrain.evaluation.metrics import Evaluation
from edgeretrain.records.json_form import from_json
from edgeretrain.records.sweep import Candidate, Miss, Sweep
from edgeretrain.records.training import Report
from edgeretrain.report import (
    chart,
    figures,
    page,
    pareto_svg,
    sweep_chart,
    sweep_figures,
    sweep_page,
    sweep_table,
    table,
    taught,
    tuned,
)
from edgeretrain.report import (
    training_curve as curves,
)


def reading(kind: type[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, its first argument as plain JSON."""
    return lambda plain, *rest: function(from_json(kind, plain), *rest)


weakest_class = reading(Evaluation, of_evaluations.weakest_class)
confusions = reading(Evaluation, of_evaluations.confusions)
render_evaluation = reading(Evaluation, table.render_evaluation)

suggested = reading(Report, figures.suggested)
mistaken = reading(Report, figures.mistaken)
render_page = reading(Report, page.render_page)
render_table = reading(Report, table.render_table)
render_taught = reading(Report, taught.render_taught)
changes = reading(Report, taught.changes)
known_classes = reading(Report, taught.known_classes)
render_tuned = reading(Report, tuned.render_tuned)
distilled = reading(Report, tuned.distilled)
tuned_models = reading(Report, tuned.tuned_models)
verdict = reading(Report, tuned.verdict)
training_curve = reading(Report, curves.training_curve)
size_chart = reading(Report, chart.size_chart)

render_sweep_page = reading(Sweep, sweep_page.render_sweep_page)
render_sweep_table = reading(Sweep, sweep_table.render_sweep_table)
render_pareto_svg = reading(Sweep, pareto_svg.render_pareto_svg)
write_pareto_svg = reading(Sweep, pareto_svg.write_pareto_svg)
pictures = reading(Sweep, sweep_chart.pictures)
budget_text = reading(Sweep, sweep_figures.budget_text)
failures = reading(Sweep, sweep_figures.failures)
short_name = reading(Candidate, sweep_figures.short_name)
title_of = reading(Candidate, sweep_chart.title_of)
miss_text = reading(Miss, sweep_figures.miss_text)
