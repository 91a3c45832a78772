"""`edgeretrain presets`."""

from typing import Annotated, Any, Literal

import typer

from edgeretrain.cli.console import Json, print_json, print_rich, say

_KEYS = ("name", "architecture", "alpha", "resolution", "macs", "parameters", "top1", "bottleneck")
"""Attributes of a preset, as they stand in the JSON."""

SortKey = Literal["name", "alpha", "resolution", "macs", "parameters", "top1", "bottleneck"]


def presets_command(
    pattern: Annotated[
        str,
        typer.Argument(help="List only names that match, such as 'mobilenet_v2_*' or '*_128'.", metavar="PATTERN"),
    ] = "*",
    *,
    sort: Annotated[SortKey | None, typer.Option(help="What to sort by. Default: as in the papers.")] = None,
    descending: Annotated[bool, typer.Option("--descending", help="List the largest first.")] = False,
    as_json: Json = False,
) -> None:
    """List the presets: cost of each backbone, its accuracy on ImageNet, and whether it is on this machine.

    MACs, parameters and ImageNet top-1 are the published figures of the whole 1001-class network. A backbone is
    bundled, cached or buildable (TensorFlow and the weights are installed); otherwise the list says what is missing.
    Backbones of your own (`edgeretrain backbone build NAME --from SOURCE`) come last.
    """
    from fnmatch import fnmatch

    from edgeretrain.backbone import own_names, status
    from edgeretrain.backbone.presets import LOGITS, PRESETS
    from edgeretrain.errors import EdgeretrainError
    from edgeretrain.precision import PRECISIONS

    # Presets whose bottleneck is the class scores are listed only when the pattern matches no other.
    kinds = (PRESETS, LOGITS)
    matching = ([preset for preset in kind.values() if fnmatch(preset.name, pattern)] for kind in kinds)
    chosen = next(filter(None, matching), [])
    own = [_own_row(name) for name in own_names() if fnmatch(name, pattern)]
    if not chosen and not own:
        raise EdgeretrainError(f"No preset matches {pattern!r}. `edgeretrain presets` lists all {len(PRESETS)}.")
    if sort is not None:
        chosen.sort(key=lambda preset: (getattr(preset, sort), preset.name))
    if descending:
        chosen.reverse()
    rows: list[dict[str, Any]] = [
        {**{key: getattr(preset, key) for key in _KEYS}, "backbones": dict(status(preset.name))} for preset in chosen
    ]
    if as_json:
        print_json([*rows, *own])
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("preset", no_wrap=True)
    for heading in ("MACs M", "params M", "top-1 %", "bottleneck"):
        table.add_column(heading, justify="right")
    table.add_column("backbones")
    for row in rows:
        table.add_row(
            row["name"],
            f"{row['macs']:g}",
            f"{row['parameters']:.2f}",
            f"{row['top1']:.1f}",
            str(row["bottleneck"]),
            _status_text({precision: row["backbones"][precision] for precision in PRECISIONS}),
        )
    if rows:
        print_rich(table)
    for row in own:
        present = " ".join(name for name, state in row["backbones"].items() if state == "cached")
        size = f"{row['resolution']} x {row['resolution']}" if row["resolution"] else "damaged card"
        say(f"{row['name']}: your own, {size}, {row['bottleneck']} numbers, from {row['source']}; {present}")


def _own_row(name: str) -> dict[str, Any]:
    """A row of the table for a backbone of the user's own, for which there are no published figures."""
    from edgeretrain.backbone import own_card, status

    card = own_card(name)
    source = card.get("source")
    source_name = source.get("file", source.get("kind")) if isinstance(source, dict) else None
    unpublished = dict.fromkeys(("macs", "parameters", "top1"))
    from_card = {key: card.get(key) for key in ("architecture", "alpha", "resolution")}
    backbones = {precision: state if state == "cached" else "missing" for precision, state in status(name).items()}
    return {
        "name": name,
        **from_card,
        **unpublished,
        "bottleneck": card.get("bottleneck"),
        "source": source_name,
        "backbones": backbones,
    }


def _status_text(states: dict[Any, str]) -> str:
    """`{float32: bundled, int8: bundled, float16: buildable ...}` -> `bundled float32 int8; buildable float16 ...`."""
    groups: dict[str, list[str]] = {}
    for precision, state in states.items():
        groups.setdefault(state, []).append(precision)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{state} {' '.join(precisions)}" for state, precisions in groups.items())
