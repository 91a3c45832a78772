"""`edgeretrain inspect`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from edgeretrain.cli.console import Json, print_json, print_rich, say
from edgeretrain.files.describe import one_line

_LONGEST_NAME = 32


def inspect_command(
    model: Annotated[Path, typer.Argument(help="Any .tflite file.", metavar="MODEL", show_default=False)],
    *,
    tensors: Annotated[bool, typer.Option("--tensors", help="List every tensor.")] = False,
    layers: Annotated[bool, typer.Option("--layers", help="List every layer with its MACs and parameters.")] = False,
    as_json: Json = False,
) -> None:
    """Show the contents of a model file: tensors, operators, sizes, costs, quantization, labels, card.

    Example: edgeretrain inspect flowers/model.int8.tflite
    """
    from edgeretrain.report.text import flat
    from edgeretrain.tflite.inspect import inspect_model

    description = inspect_model(model)
    if as_json:
        print_json(description)
        return
    say(f"{model}: {description['bytes']:,} bytes, {description['weight_bytes']:,} of them weights")
    say(_cost_text(description))
    for side in ("inputs", "outputs"):
        for tensor in description[side]:
            say(f"{side[:-1]}: {_tensor_text(tensor)}")
    say(
        "operators: "
        + ", ".join(
            f"{operator['count']} {operator['name']} v{operator['version']}" for operator in description["operators"]
        )
    )
    say(f"metadata: {', '.join(description['metadata']) or 'none'}")
    say(f"labels: {', '.join(description['labels']) or 'none'}")
    say("card:" if description["card"] else "card: none (not written by edgeretrain)")
    for key, value in flat(description["card"]):
        say(f"  {key}: {value}")
    if layers:
        print_rich(_layer_table(description))
    if tensors:
        print_rich(_tensor_table(description))


def _cost_text(description: dict[str, Any]) -> str:
    unknown = [layer["operator"] for layer in description["layers"] if layer["macs"] is None]
    text = f"cost: {description['macs'] / 1e6:,.1f} M MACs, {description['parameters']:,} parameters"
    if unknown:
        layers = "1 layer" if len(unknown) == 1 else f"{len(unknown)} layers"
        text += f"; not among the MACs: {layers} of unknown cost ({one_line(', '.join(sorted(set(unknown))))})"
    return text


def _layer_table(description: dict[str, Any]) -> Any:
    table = _table("layer", "operator", "output", right=("MACs", "parameters", "bytes"))
    for layer in description["layers"]:
        macs, shape = layer["macs"], layer["output_shape"]
        table.add_row(
            _short(one_line(layer["name"])),
            one_line(layer["operator"]),
            "unknown" if shape is None else "x".join(map(str, shape)),
            "unknown" if macs is None else f"{macs:,}" if macs else "",
            *(f"{layer[key]:,}" if layer[key] else "" for key in ("parameters", "bytes")),
        )
    return table


def _short(name: str) -> str:
    """One name of the several that a converter joins for fused operators, and its end where it is long."""
    name = name.split(";")[0]
    return name if len(name) <= _LONGEST_NAME else "…" + name[1 - _LONGEST_NAME :]


def _tensor_table(description: dict[str, Any]) -> Any:
    table = _table("tensor", "type and shape", "quantization", right=("bytes",))
    for tensor in description["tensors"]:
        table.add_row(
            one_line(tensor["name"]),
            f"{tensor['dtype']} {tensor['shape']}",
            _quantization_text(tensor["quantization"]),
            f"{tensor['constant_bytes']:,}" if tensor["constant_bytes"] else "",
        )
    return table


def _table(*left: str, right: tuple[str, ...]) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (*left, *right):
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    return table


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
