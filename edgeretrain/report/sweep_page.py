"""`report.html` of a sweep: all models in one page that opens anywhere, without a network, with or without JavaScript.

`sweep.html` is the page, `style.css` and `sweep.css` its looks, `sweep.js` sorting, filters and details; they are put
into the page as they are. The page's own Content-Security-Policy forbids every request and every script but that one.
"""

import base64
import hashlib
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from edgeretrain.report import sweep_chart as chart
from edgeretrain.report.page import flat, percent
from edgeretrain.report.sweep_figures import COSTS, FAMILIES, Candidate, Sweep, budget_text, failures, find, miss_text


def render_sweep_page(sweep: Sweep) -> str:
    """The sweep as HTML: the same sweep gives the same text. Links are relative to the sweep's folder."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    sources = ("sweep.html", "style.css", "sweep.css", "sweep.js")
    template, *styles, script = ((files(__package__) / name).read_text(encoding="utf-8") for name in sources)
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    environment.filters["percent"] = percent
    chosen = find(sweep, sweep["pick"] or sweep["nearest"])
    rows = [_row(candidate, candidate is chosen, sweep) for candidate in sweep["candidates"]]
    families = {candidate["architecture"]: None for candidate in sweep["candidates"]}
    return environment.from_string(template).render(
        sweep=sweep,
        style=Markup("".join(styles)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        rows=rows,
        chosen=next((row for row in rows if row["chosen"]), None),
        budget=budget_text(sweep),
        timed=any(row["latency_ms"] is not None for row in rows),
        zipped=any(row["compressed_bytes"] for row in rows),
        missing=list(failures(sweep)),
        pictures=chart.pictures(sweep),
        symbols=chart.SYMBOLS,
        families=[(family, FAMILIES.get(family, family)) for family in families],
        colours=[(chart.colour(family), FAMILIES.get(family, family)) for family in families],
        precisions=[(one, one) for one in chart.SYMBOLS if any(row["precision"] == one for row in rows)],
        shows=[("front", "on a Pareto front"), *([("fits", "that keep the budget")] if budget_text(sweep) else [])],
        groups=_groups(sweep),
        width=chart.WIDTH,
        height=chart.HEIGHT,
        left=chart.LEFT,
        right=chart.RIGHT,
        top=chart.TOP,
        bottom=chart.BOTTOM,
    )


def _row(candidate: Candidate, chosen: bool, sweep: Sweep) -> dict[str, Any]:
    low, high = candidate["interval"]
    least = min(each["interval"][0] for each in sweep["candidates"])
    most = max(each["interval"][1] for each in sweep["candidates"])
    latency = candidate["latency"] or {}
    fronts = [name for name in COSTS if candidate["front"][name]]
    return {
        **candidate,
        "chosen": chosen,
        # Never a scheme or another host, whatever a name holds.
        "link": "./" + quote(candidate["report"], safe="/"),
        "title": chart.title_of(candidate),
        "colour": chart.colour(candidate["architecture"]),
        "low": low,
        "interval": (percent(low), percent(high)),
        "bar": [f"{(share - least) / ((most - least) or 1):.3f}" for share in (low, candidate["top1"], high)],
        "p90": latency.get("inference_ms", {}).get("p90"),
        "memory": latency.get("peak_memory_bytes"),
        "on_front": ", ".join(fronts),
        "missed": "\n".join(map(miss_text, candidate["misses"])),
    }


def _groups(sweep: Sweep) -> list[tuple[str, list[tuple[str, str]]]]:
    environment = sweep["latency"]["environment"] if sweep["latency"] else {}
    return [
        ("Machine of the latencies", list(flat(environment))),
        ("Budget", list(flat(sweep["budget"]))),
        ("Options", list(flat(sweep["options"]))),
        ("Photos", list(flat(sweep["photos"]))),
    ]
