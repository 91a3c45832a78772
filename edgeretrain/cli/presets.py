"""`edgeretrain presets`."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from edgeretrain.cli.console import Json, print_json, print_rich
from edgeretrain.cli.retrain import one_of

_SORT_KEYS = ("name", "alpha", "resolution", "macs", "parameters", "top1", "bottleneck")


def presets_command(
    pattern: Annotated[
        str,
        typer.Argument(help="Only presets whose name matches, such as 'mobilenet_v2_*' or '*_128'.", metavar="PATTERN"),
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
    bundled, cached, buildable (TensorFlow and weights are here), or says what is missing.
    """
    from fnmatch import fnmatch

    from edgeretrain.backbone import status
    from edgeretrain.errors import EdgeretrainError
    from edgeretrain.presets import PRECISIONS, PRESETS

    chosen = [preset for preset in PRESETS.values() if fnmatch(preset.name, pattern)]
    if not chosen:
        raise EdgeretrainError(f"No preset matches {pattern!r}. `edgeretrain presets` lists all {len(PRESETS)}.")
    if sort:
        key = one_of("--sort", sort, _SORT_KEYS)
        chosen.sort(key=lambda preset: (getattr(preset, key), preset.name))
    if descending:
        chosen.reverse()
    rows: list[dict[str, Any]] = [
        {**asdict(preset), "bottleneck": preset.bottleneck, "backbones": dict(status(preset.name))} for preset in chosen
    ]
    if as_json:
        print_json(rows)
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
    print_rich(table)


def _status_text(states: dict[Any, str]) -> str:
    """`{float32: bundled, int8: bundled, float16: buildable ...}` -> `bundled float32 int8; buildable float16 ...`."""
    groups: dict[str, list[str]] = {}
    for precision, state in states.items():
        groups.setdefault(state, []).append(precision)
    if len(groups) == 1:
        return next(iter(groups))
    return "; ".join(f"{state} {' '.join(precisions)}" for state, precisions in groups.items())
