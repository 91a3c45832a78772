"""The sweep as a picture for slides: accuracy against size and against latency, with the Pareto front named."""

import io
from pathlib import Path
from typing import Any

from edgeretrain.files.atomic import write_atomic
from edgeretrain.report.sweep_chart import Scales, place_names, scales_of, shown
from edgeretrain.report.sweep_figures import COSTS, FAMILIES, Candidate, Sweep, is_same, short_name

FILES = ("pareto.svg", "pareto.png")

WIDTH, HEIGHT, DPI = 16, 9, 100
"""Inches, and dots for one: 1600 x 900 pixels."""

COLOURS = {"mobilenet_v1": "#D55E00", "mobilenet_v2": "#0072B2", "nasnet_mobile": "#009E73"}
"""Okabe and Ito's palette (jfly.uni-koeln.de/color), told apart with any colour vision."""

MARKERS = {"float32": "o", "float16": "s", "dynamic": "^", "int8": "D"}

_SETTINGS = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same picture on every machine
    "font.size": 15,
    "axes.titlesize": 18,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "edgeretrain",
    "svg.fonttype": "path",
}
_TIGHT: dict[str, Any] = {"columnspacing": 1.3, "handletextpad": 0.4}
_RING: dict[str, Any] = {
    "markersize": 19,
    "markerfacecolor": "none",
    "markeredgecolor": "black",
    "markeredgewidth": 1.8,
}
_NAME_SIZE = 13


def write_pareto_pictures(sweep: Sweep, folder: Path) -> list[Path]:
    """Write `pareto.svg` and `pareto.png`, 1600 x 900, into a folder that is there.

    A picture against size, and beside it one against latency where any was measured. The same sweep and version of
    matplotlib give the same bytes.

    Returns:
        the files; none without matplotlib (the `plot` extra) or without a candidate.

    Raises:
        EdgeretrainError: a file cannot be written.
    """
    try:
        import matplotlib.style
        from matplotlib.figure import Figure
    except ImportError:
        return []
    if not sweep["candidates"]:
        return []
    with matplotlib.style.context(["default", _SETTINGS]):  # whatever the user's own matplotlibrc says
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
        costs = [cost for cost in COSTS if shown(sweep, cost)]
        for axes, cost in zip(figure.subplots(1, len(costs), squeeze=False)[0], costs, strict=True):
            _draw(axes, sweep, cost)
        figure.legend(
            handles=_legend(sweep), loc="outside lower center", ncols=10, frameon=False, fontsize=13, **_TIGHT
        )
        figure.suptitle(_title(sweep), fontsize=20)
        figure.draw_without_rendering()  # the layout; names are placed in pixels
        for axes, cost in zip(figure.axes, costs, strict=True):
            _name_front(axes, sweep, cost)
        return [_save(figure, folder / name) for name in FILES]


def _title(sweep: Sweep) -> str:
    models, photos, pick = len(sweep["candidates"]), sweep["photos"]["testing"], sweep["pick"]
    text = f"{models:,} model{'' if models == 1 else 's'} on {photos:,} test photo{'' if photos == 1 else 's'}"
    return f"{text}, pick: {pick['preset']} {pick['precision']}" if pick else text


def _draw(axes: Any, sweep: Sweep, cost: str) -> None:
    found = shown(sweep, cost)
    span = scales_of(sweep, found)
    _set_scales(axes, span)
    where = f", {_plain(sweep['latency']['where'])}" if cost == "latency" and sweep["latency"] else ""
    axes.set_title("Accuracy against " + ("file size" if cost == "size" else f"latency{where}"), loc="left")
    axes.set_xlabel("file size, MB" if cost == "size" else "median latency, ms")
    axes.set_ylabel("top-1, %")
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)
    front = sorted((value, 100 * candidate["top1"]) for _, candidate, value in found if candidate["front"][cost])
    axes.step(*zip(*front, strict=True), where="post", color="#444444", linewidth=1.5, zorder=2)
    for _, candidate, value in found:
        on = candidate["front"][cost]
        axes.plot(
            value,
            100 * candidate["top1"],
            MARKERS.get(candidate["precision"], "o"),
            color=COLOURS.get(candidate["architecture"], "#777777"),
            markeredgecolor="black" if on else "white",
            markeredgewidth=1.2 if on else 0.6,
            markersize=10 if on else 8,
            alpha=1 if on else 0.65,
            zorder=4 if on else 3,
        )
    for _, candidate, value in found:
        if is_same(candidate, sweep["pick"]):
            low, high = (100 * end for end in candidate["interval"])
            axes.plot(value, 100 * candidate["top1"], "o", **_RING, zorder=5)
            axes.plot([value, value], [low, high], color=_colour(candidate), linewidth=2.5, alpha=0.5, zorder=2)
    budget = sweep["budget"]
    limit = budget["max_size"] and budget["max_size"] / 1e6 if cost == "size" else budget["max_latency"]
    asked = budget["min_accuracy"] and 100 * budget["min_accuracy"]
    if limit and span.x_start <= limit <= span.x_end:
        axes.axvline(limit, color="#777777", linestyle=(0, (4, 4)), linewidth=1.2, zorder=1)
    if asked and span.y_start <= asked <= span.y_end:
        axes.axhline(asked, color="#777777", linestyle=(0, (4, 4)), linewidth=1.2, zorder=1)


def _set_scales(axes: Any, span: Scales) -> None:
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    axes.set_xlim(span.x_start, span.x_end)
    axes.set_ylim(span.y_start, span.y_end)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(span.x_ticks, [f"{tick:g}" for tick in span.x_ticks])
    axes.set_yticks(span.y_ticks, [f"{tick:g}" for tick in span.y_ticks])


def _name_front(axes: Any, sweep: Sweep, cost: str) -> None:
    from matplotlib.patheffects import withStroke

    found = shown(sweep, cost)
    window = axes.get_window_extent()
    points = axes.transData.transform([(value, 100 * candidate["top1"]) for _, candidate, value in found])
    centres = [(float(x), float(window.y1 - y)) for x, y in points]  # y downwards
    names = [short_name(candidate) if candidate["front"][cost] else "" for _, candidate, _ in found]
    first = next((index for index, (_, each, _) in enumerate(found) if is_same(each, sweep["pick"])), None)
    if first is not None:
        names[first] = short_name(found[first][1])
    line = _NAME_SIZE * DPI / 72 * 1.35
    area = (float(window.x0), -line, float(window.x1), float(window.height))
    for index, place in enumerate(place_names(names, centres, area, 0.41 * line, line, first)):
        if place is None:
            continue
        x, y, side = place
        axes.annotate(
            names[index],
            axes.transAxes.inverted().transform((x, window.y1 - y)),
            xycoords="axes fraction",
            ha="left" if side == "start" else "right",
            fontsize=_NAME_SIZE,
            fontweight="bold" if index == first else "normal",
            annotation_clip=False,
            path_effects=[withStroke(linewidth=3, foreground="white")],
            zorder=5,
        )


def _legend(sweep: Sweep) -> list[Any]:
    from matplotlib.lines import Line2D

    families = dict.fromkeys(candidate["architecture"] for candidate in sweep["candidates"])
    used = {candidate["precision"] for candidate in sweep["candidates"]}
    look: dict[str, Any] = {"linestyle": "none", "markersize": 10}
    return [
        *(
            Line2D([], [], marker="o", color=COLOURS.get(one, "#777777"), label=_plain(FAMILIES.get(one, one)), **look)
            for one in families
        ),
        *(Line2D([], [], marker=MARKERS[one], color="#555555", label=one, **look) for one in MARKERS if one in used),
        Line2D([], [], color="#444444", linewidth=1.5, label="Pareto front"),
        *([Line2D([], [], marker="o", linestyle="none", label="pick", **_RING)] if sweep["pick"] else []),
        *([Line2D([], [], color="#777777", linewidth=3, alpha=0.5, label="95 % interval")] if sweep["pick"] else []),
    ]


def _colour(candidate: Candidate) -> str:
    return COLOURS.get(candidate["architecture"], "#777777")


def _plain(text: str) -> str:
    """Dollar signs would begin a formula."""
    return text.replace("$", r"\$")


def _save(figure: Any, path: Path) -> Path:
    """Write the picture without a date or a version in it."""
    metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix[1:], dpi=DPI, metadata=metadata)
    write_atomic(path, buffer.getvalue())
    return path
