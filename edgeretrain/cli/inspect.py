"""`edgeretrain inspect`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeretrain.cli.console import Json, print_json, print_rich


def inspect_command(
    model: Annotated[Path, typer.Argument(help="Any .tflite file.", metavar="MODEL", show_default=False)],
    *,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is in a model file: tensors, operators with versions, sizes, quantization, labels, card.

    Example: edgeretrain inspect flowers/model.int8.tflite
    """
    from edgeretrain.tflite.inspect import inspect_model

    description = inspect_model(model)
    if as_json:
        print_json(description)
        return
    typer.echo(f"{model}: {description['bytes']:,} bytes, of them {description['weight_bytes']:,} weights")
    for side in ("inputs", "outputs"):
        for tensor in description[side]:
            typer.echo(f"{side[:-1]}: {_tensor_text(tensor)}")
    typer.echo(
        "operators: " + ", ".join(f"{one['count']} {one['name']} v{one['version']}" for one in description["operators"])
    )
    typer.echo(f"metadata: {', '.join(description['metadata']) or 'none'}")
    typer.echo(f"labels: {', '.join(description['labels']) or 'none'}")
    typer.echo("card:" if description["card"] else "card: none (not written by edgeretrain)")
    for key, value in _flat(description["card"]):
        typer.echo(f"  {key}: {value}")
    if tensors:
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in ("tensor", "type and shape", "quantization", "bytes"):
            table.add_column(heading, justify="right" if heading == "bytes" else "left", overflow="fold")
        for tensor in description["tensors"]:
            table.add_row(
                tensor["name"],
                f"{tensor['dtype']} {tensor['shape']}",
                _quantization_text(tensor["quantization"]),
                f"{tensor['constant_bytes']:,}" if tensor["constant_bytes"] else "",
            )
        print_rich(table)


def _tensor_text(tensor: dict[str, Any]) -> str:
    text = f"{tensor['name']}, {tensor['dtype']} {tensor['shape']}"
    return f"{text}, {_quantization_text(tensor['quantization'])}" if tensor["quantization"] else text


def _quantization_text(quantization: dict[str, Any] | None) -> str:
    if quantization is None:
        return ""
    if "channels" in quantization:
        smallest, largest = quantization["smallest_scale"], quantization["largest_scale"]
        return f"per channel, {quantization['channels']} scales {smallest:.3g} to {largest:.3g}"
    return f"scale {quantization['scale']:.6g}, zero point {quantization['zero_point']}"


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, one in value.items():
        rows += _flat(one, f"{prefix}{key}.") if isinstance(one, dict) else [(f"{prefix}{key}", one)]
    return rows
