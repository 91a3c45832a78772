"""`report.html` of a sweep: all models in one page that opens anywhere, without a network, with or without JavaScript.

`sweep.html` is the page, `sweep_scatter.svg` the pictures in it, `style.css`, `scatter.css` and `sweep.css` their
looks, `sweep.js` sorting, filters and details. The colours of the families come from their records (see
family_colours). The page's own Content-Security-Policy forbids every request and every script but that one.
"""

import base64
import hashlib
from dataclasses import dataclass
from urllib.parse import quote

from edgeretrain.backbone.families import FAMILIES
from edgeretrain.records.json_form import to_json
from edgeretrain.records.sweep import Candidate, Sweep
from edgeretrain.report import sweep_chart as chart
from edgeretrain.report.family_colours import colour_class, colour_rules, colour_titles
from edgeretrain.report.sweep_figures import COSTS, budget_text, failures, find, miss_text, on_front
from edgeretrain.report.templates import read, template
from edgeretrain.report.text import flat, percent


def render_sweep_page(sweep: Sweep) -> str:
    """The sweep as HTML: the same sweep gives the same text. Links are relative to the sweep's folder."""
    from markupsafe import Markup

    script = read("sweep.js")
    chosen = find(sweep, sweep.pick or sweep.nearest)
    rows = [_row(candidate, candidate is chosen, sweep) for candidate in sweep.candidates]
    architectures = list(dict.fromkeys(candidate.architecture for candidate in sweep.candidates))
    styles = (read("style.css"), read("scatter.css"), read("sweep.css"), colour_rules(architectures))
    titles = {family.name: family.title for family in FAMILIES}
    return template("sweep.html").render(
        sweep=sweep,
        style=Markup("".join(styles)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        rows=rows,
        chosen=next((row for row in rows if row.chosen), None),
        budget=budget_text(sweep),
        timed=any(row.candidate.latency_ms is not None for row in rows),
        zipped=any(row.candidate.compressed_bytes for row in rows),
        missing=list(failures(sweep)),
        pictures=chart.pictures(sweep),
        symbols=chart.SYMBOLS,
        families=[(architecture, titles.get(architecture, architecture)) for architecture in architectures],
        colours=list(colour_titles(architectures).items()),
        precisions=[(name, name) for name in chart.SYMBOLS if any(row.candidate.precision == name for row in rows)],
        shows=[("front", "on a Pareto front"), *([("fits", "that meet the budget")] if budget_text(sweep) else [])],
        groups=_groups(sweep),
        width=chart.WIDTH,
        height=chart.HEIGHT,
        frame={"left": chart.LEFT, "right": chart.RIGHT, "top": chart.TOP, "bottom": chart.BOTTOM},
    )


@dataclass(frozen=True)
class _Row:
    """A candidate, and what the page says of it besides.

    Attributes:
        link: to its page, relative to the sweep's folder.
        title: its details, line by line.
        colour: the CSS class that has its family's colour.
        low: low end of the 95 % interval, 0 to 1.
        interval: low and high end of it, percent.
        bar: low end, top-1 and high end as shares of the widest interval of all.
        p90: of the inference, ms.
        memory: at its peak, bytes.
        on_front: on which fronts it is, in words.
        missed: the limits that it does not keep, line by line.
    """

    candidate: Candidate
    chosen: bool
    link: str
    title: str
    colour: str
    low: float
    interval: tuple[str, str]
    bar: list[str]
    p90: float | None
    memory: int | None
    on_front: str
    missed: str


def _row(candidate: Candidate, chosen: bool, sweep: Sweep) -> _Row:
    low, high = candidate.interval
    least = min(other.interval[0] for other in sweep.candidates)
    most = max(other.interval[1] for other in sweep.candidates)
    latency = candidate.latency
    return _Row(
        candidate=candidate,
        chosen=chosen,
        # Never a scheme or another host, whatever a name holds.
        link="./" + quote(candidate.report, safe="/"),
        title=chart.title_of(candidate),
        colour=colour_class(candidate.architecture),
        low=low,
        interval=(percent(low), percent(high)),
        bar=[f"{(share - least) / ((most - least) or 1):.3f}" for share in (low, candidate.top1, high)],
        p90=latency.inference_ms.p90 if latency else None,
        memory=latency.peak_memory_bytes if latency else None,
        on_front=", ".join(cost for cost in COSTS if on_front(candidate, cost)),
        missed="\n".join(map(miss_text, candidate.misses)),
    )


def _groups(sweep: Sweep) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        ("Machine of the latencies", flat(to_json(sweep.latency.environment)) if sweep.latency else []),
        ("Budget", flat(to_json(sweep.budget))),
        ("Options", flat(to_json(sweep.options))),
        ("Photos", flat(to_json(sweep.photos))),
    ]
