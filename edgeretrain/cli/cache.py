"""`edgeretrain cache list`, `prune` and `clear`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeretrain.cli.console import Json, print_json, print_rich, say

if TYPE_CHECKING:
    from edgeretrain.files.kept import Kept

app = typer.Typer(invoke_without_command=True)


@app.callback()
def _cache(context: typer.Context) -> None:
    """Show and empty the cache: what edgeretrain keeps so that it need not compute or download it again.

    It lies in the folder EDGERETRAIN_CACHE, by default the system's cache folder. Files in it that edgeretrain did not
    write are neither listed nor removed.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command("list", short_help="Show what is kept.")
def list_command(*, as_json: Json = False) -> None:
    """Show what is kept, how large it is and when it was last used.

    bottlenecks: what backbones made of photos. backbones: built from weights. own-backbones: made with --from.
    weights and sources: downloads. fine-tuning: the state of trainings that were stopped, with their decoded photos.

    Example: edgeretrain cache list --json
    """
    folder, found = _found()
    if as_json:
        print_json({"folder": str(folder), "bytes": _bytes(found), "kept": [_record(kept) for kept in found]})
        return
    from rich.table import Table

    from edgeretrain.files.kept import KINDS
    from edgeretrain.report.text import megabytes

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("kind", no_wrap=True)
    for heading in ("number", "MB", "last used, days ago"):
        table.add_column(heading, justify="right")
    for kind in KINDS:
        if chosen := [kept for kept in found if kept.kind == kind]:
            newest, oldest = min(kept.days for kept in chosen), max(kept.days for kept in chosen)
            days = f"{newest:.0f}" if round(newest) == round(oldest) else f"{newest:.0f} to {oldest:.0f}"
            table.add_row(kind, f"{len(chosen):,}", megabytes(_bytes(chosen)), days)
    if found:
        print_rich(table)
    say(f"{megabytes(_bytes(found))} MB in {folder}")


@app.command("prune", short_help="Remove what was not used for long.")
def prune_command(
    *,
    unused_for: Annotated[
        float, typer.Option("--unused-for", min=0, metavar="DAYS", help="Days since the last use.")
    ] = 30,
    as_json: Json = False,
) -> None:
    """Remove what was not used for some time and can be made or downloaded again. Own backbones stay.

    Example: edgeretrain cache prune --unused-for 7
    """
    from edgeretrain.files.kept import REPLACEABLE

    _, found = _found()
    _remove([kept for kept in found if kept.kind in REPLACEABLE and kept.days >= unused_for], as_json)


@app.command("clear", short_help="Remove all that is kept.")
def clear_command(
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            help="bottlenecks, backbones, own-backbones, weights, sources or fine-tuning. Default: all but "
            "own-backbones.",
            metavar="KIND...",
            show_default=False,
        ),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Remove all that is kept, or some kinds of it. End other runs of edgeretrain first.

    Own backbones are removed only by name: their sources may be gone.

    Example: edgeretrain cache clear bottlenecks fine-tuning
    """
    from edgeretrain.errors import EdgeretrainError
    from edgeretrain.files.kept import KINDS, REPLACEABLE

    for kind in kinds or ():
        if kind not in KINDS:
            raise EdgeretrainError(f"Nothing of the kind {kind!r} is kept. Use {', '.join(KINDS)}.")
    _, found = _found()
    _remove([kept for kept in found if kept.kind in (kinds or REPLACEABLE)], as_json)


def _found() -> tuple[Path, "list[Kept]"]:
    from edgeretrain.backbone.presets import BUILDABLE
    from edgeretrain.backbone.weights import weights_file
    from edgeretrain.files.kept import list_kept
    from edgeretrain.paths import cache_folder

    folder = cache_folder()
    return folder, list_kept(folder, presets=BUILDABLE, weights={weights_file(preset) for preset in BUILDABLE.values()})


def _remove(found: "list[Kept]", as_json: bool) -> None:
    from edgeretrain.files.kept import remove_kept
    from edgeretrain.report.text import megabytes

    remove_kept(found)
    if as_json:
        print_json({"bytes": _bytes(found), "removed": [_record(kept) for kept in found]})
    else:
        say(f"Removed {len(found):,}, {megabytes(_bytes(found))} MB.")


def _bytes(found: "list[Kept]") -> int:
    return sum(kept.bytes for kept in found)


def _record(kept: "Kept") -> dict[str, Any]:
    return {"kind": kept.kind, "path": str(kept.path), "bytes": kept.bytes, "unused_days": round(kept.days, 2)}
