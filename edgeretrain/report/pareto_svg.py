"""`pareto.svg`: the page's pictures of a sweep as a file of its own, for a README, a slide or a paper.

`pareto.svg` here is its template, `pareto.css` and `scatter.css` its looks. It loads nothing and follows the reader's
light or dark theme. Its colours are plain values in place of CSS variables, which only browsers understand.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from edgeretrain.files.atomic import write_atomic
from edgeretrain.records.sweep import Candidate, Sweep
from edgeretrain.report import sweep_chart as chart
from edgeretrain.report.family_colours import colour_rules, colour_titles
from edgeretrain.report.sweep_figures import Cost, find, on_front
from edgeretrain.report.templates import read, template
from edgeretrain.report.text import count

FILE = "pareto.svg"

_FONT_SIZE = 14
_MARGIN, _TOP, _LINE = 16, 84, 24
_LETTER = 7.2
"""Room for a letter of the legend, at 13: wide enough for any sans-serif."""


@dataclass(frozen=True)
class _Panel:
    """One of the pictures; `dots` in the order they are drawn: the front above the others, the pick above all."""

    cost: Cost
    caption: str
    picture: chart.Picture
    dots: list[tuple[chart.Dot, Candidate]]
    x: int
    y: int


@dataclass(frozen=True)
class _Entry:
    """An entry of the legend; without a symbol it is that of the Pareto front's line."""

    text: str
    colour: str
    symbol: str
    x: float
    y: float
    text_x: int


def write_pareto_svg(sweep: Sweep, folder: Path) -> list[Path]:
    """Write `pareto.svg` into a folder that is there. The same sweep gives the same bytes.

    Returns:
        the files: this one, or none without a candidate.

    Raises:
        EdgeretrainError: the file cannot be written.
    """
    if not sweep.candidates:
        return []
    write_atomic(folder / FILE, render_pareto_svg(sweep))
    return [folder / FILE]


def render_pareto_svg(sweep: Sweep) -> str:
    """The picture of a sweep with candidates: accuracy against size, and beside it against latency where measured."""
    from markupsafe import Markup

    chosen = find(sweep, sweep.pick or sweep.nearest)
    panels = []
    x = _MARGIN
    for cost, picture in chart.pictures(sweep, _FONT_SIZE).items():
        dots = [(dot, sweep.candidates[dot.row]) for dot in picture.dots]
        dots.sort(key=lambda drawn: (drawn[1] is chosen, on_front(drawn[1], cost)))
        panels.append(_Panel(cost, _caption(sweep, picture.title), picture, dots, x, _TOP))
        x += chart.WIDTH + _MARGIN
    width = x
    legend = _legend(sweep, width)
    return template("pareto.svg").render(
        style=Markup(_style(sweep)),
        heading=_heading(sweep),
        panels=panels,
        frame={"left": chart.LEFT, "right": chart.RIGHT, "top": chart.TOP, "bottom": chart.BOTTOM},
        titles=[chart.title_of(candidate) for candidate in sweep.candidates],
        chosen=chosen,
        legend=legend,
        width=width,
        height=round(legend[-1].y) + _LINE,
    )


def _heading(sweep: Sweep) -> str:
    models = f"{count(len(sweep.candidates), 'model')} on {count(sweep.photos.testing, 'test photo')}"
    pick = sweep.pick
    return f"{models}, pick: {pick.preset} {pick.precision}" if pick else models


def _caption(sweep: Sweep, figure: str) -> str:
    latency = sweep.latency
    if figure != "latency" or latency is None:
        return f"Top-1 against {figure}"
    machine = latency.environment.machine if latency.where == "this machine" else None
    return f"Top-1 against {figure}, {machine or latency.where}, {count(sweep.budget.threads, 'thread')}"


def _legend(sweep: Sweep, width: int) -> list[_Entry]:
    """The entries from left to right, on as many lines as they need."""
    colours = colour_titles(candidate.architecture for candidate in sweep.candidates)
    used = {candidate.precision for candidate in sweep.candidates}
    wanted = [
        *((text, colour, chart.SYMBOLS["float32"]) for colour, text in colours.items()),
        *((precision, "plain", symbol) for precision, symbol in chart.SYMBOLS.items() if precision in used),
        ("Pareto front", "plain", ""),
    ]
    entries = []
    start = _MARGIN + chart.LEFT - 24
    x, y = start, _TOP + chart.HEIGHT + _LINE
    for text, colour, symbol in wanted:
        text_x = 12 if symbol else 16
        room = round(text_x + len(text) * _LETTER + 24)
        if x + room > width and x > start:
            x, y = start, y + _LINE
        x += 0 if symbol else 6  # the line is longer than a symbol
        entries.append(_Entry(text, colour, symbol, x, y, text_x))
        x += room
    return entries


def _style(sweep: Sweep) -> str:
    light, dark = (dict(re.findall(r"--([a-z]+): ([^;]+);", block)) for block in _themes())
    rules = read("scatter.css") + read("pareto.css")
    colours = colour_rules(candidate.architecture for candidate in sweep.candidates)
    coloured = "".join(f"  {rule}" for rule in rules.splitlines(keepends=True) if "var(" in rule)
    dark_rules = f"@media (prefers-color-scheme: dark) {{\n{_plain(coloured, dark)}}}\n"
    return f"{_plain(rules, light)}{dark_rules}{colours}".strip()


def _themes() -> list[str]:
    """The declarations of the pages' colours: those of light paper, those of dark screens."""
    return re.findall(r":root \{([^}]*)\}", read("style.css"))[:2]


def _plain(rules: str, colours: dict[str, str]) -> str:
    """The rules with values in place of variables."""
    return re.sub(r"var\(--([a-z]+)\)", lambda name: colours[name[1]], rules)
