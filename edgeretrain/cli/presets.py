"""`edgeretrain presets`."""

from typing import Annotated, Any

import typer

from edgeretrain.cli.console import Json, print_json, print_rich
from edgeretrain.cli.options import one_of

_KEYS = ("name", "architecture", "alpha", "resolution", "macs", "parameters", "top1", "bottleneck")
"""Attributes of a preset, as they stand in the JSON."""

_SORT_KEYS = ("name", "alpha", "resolution", "macs", "parameters", "top1", "bottleneck")


def presets_command(
    pattern: Annotated[
        str,
        typer.Argument(help="Only those whose name matches, such as 'mobilenet_v2_*' or '*_128'.", metavar="PATTERN"),
    ] = "*",
    *,
    sort: Annotated[
        str, typer.Option(help=f"Sort by {', '.join(_SORT_KEYS)}; default the order of the papers.", metavar="KEY")
    ] = "",
    descending: Annotated[bool, typer.Option("--descending", help="Largest first.")] = False,
    as_json: Json = False,
) -> None:
    """List the presets: what each backbone costs, what it scored on ImageNet, and whether it is here.

    MACs, parameters and ImageNet top-1 are the published figures of the whole 1001-class network. A backbone is
    bundled, cached, buildable (TensorFlow and weights are here), or says what is missing. Backbones of your own
    (`edgeretrain backbone build NAME --from SOURCE`) come last.
    """
    from fnmatch import fnmatch

    from edgeretrain.backbone import own_names, status
    from edgeretrain.backbone.presets import LOGITS, PRESETS
    from edgeretrain.errors import EdgeretrainError
    from edgeretrain.precision import PRECISIONS

    # The presets whose bottleneck is the class scores are listed only when the pattern matches nothing else.
    kinds = (PRESETS, LOGITS)
    matching = ([preset for preset in kind.values() if fnmatch(preset.name, pattern)] for kind in kinds)
    chosen = next(filter(None, matching), [])
    own = [_own_row(name) for name in own_names() if fnmatch(name, pattern)]
    if not chosen and not own:
        raise EdgeretrainError(f"No preset matches {pattern!r}. `edgeretrain presets` lists all {len(PRESETS)}.")
    if sort:
        key = one_of("--sort", sort, _SORT_KEYS)
        chosen.sort(key=lambda preset: (getattr(preset, key), preset.name))
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
        typer.echo(f"{row['name']}: your own, {size}, {row['bottleneck']} numbers, from {row['source']}; {present}")


def _own_row(name: str) -> dict[str, Any]:
    """A backbone of the user's own in the words of the table; nobody has published its figures."""
    from edgeretrain.backbone import own_card, status

    card = own_card(name)
    source = card.get("source")
    told = source.get("file", source.get("kind")) if isinstance(source, dict) else None
    unknown = dict.fromkeys(("macs", "parameters", "top1"))
    said = {key: card.get(key) for key in ("architecture", "alpha", "resolution")}
    backbones = {precision: state if state == "cached" else "missing" for precision, state in status(name).items()}
    return {
        "name": name,
        **said,
        **unknown,
        "bottleneck": card.get("bottleneck"),
        "source": told,
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
