"""What is in a .tflite file: tensors, operators with versions, sizes, costs, quantization, labels, card."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.cost import layer_costs
from edgeretrain.tflite.flatbuffer import damage_told, read_model, schema
from edgeretrain.tflite.package import has_card, read_package


def inspect_model(path: Path) -> dict[str, Any]:
    """Describe any TFLite model, ours or not, from the file alone; nothing is run.

    Returns:
        plain JSON: file, bytes, weight_bytes, description, macs and parameters (sums over the layers that have a
        figure), layers (name, operator, macs, parameters, bytes, output_shape; see cost.py for what each counts),
        inputs and outputs (each with name, dtype, shape, quantization), operators (name, version, count), tensors
        (likewise, with bytes of constant data), names of metadata, labels, card; labels are [] and card {} where the
        file carries none.

    Raises:
        EdgeretrainError: the file cannot be read, is no TFLite model, or is damaged.
    """
    model = read_model(path)
    with damage_told(path):
        description = _description(model)
    try:
        package = read_package(path)
        labels, card = list(package.labels), package.card
    except EdgeretrainError:
        if has_card(path):
            raise
        labels, card = [], {}
    return {"file": path.name, "bytes": path.stat().st_size, **description, "labels": labels, "card": card}


def _description(model: Any) -> dict[str, Any]:
    subgraph = model.subgraphs[0]
    tensors = [_tensor(model, tensor) for tensor in subgraph.tensors]
    codes = [_code(code) for code in model.operatorCodes]
    layers = layer_costs(model, [(name, custom) for name, _, custom in codes])
    return {
        "weight_bytes": sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None),
        "description": _text(model.description),
        "macs": sum(layer["macs"] or 0 for layer in layers),
        "parameters": sum(layer["parameters"] for layer in layers),
        "inputs": [tensors[index] for index in subgraph.inputs],
        "outputs": [tensors[index] for index in subgraph.outputs],
        "operators": _operators(codes, subgraph),
        "layers": layers,
        "tensors": tensors,
        "metadata": [_text(entry.name) for entry in model.metadata or []],
    }


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name for name, value in vars(enumeration).items() if isinstance(value, int)}


def _tensor(model: Any, tensor: Any) -> dict[str, Any]:
    buffer = model.buffers[tensor.buffer].data
    return {
        "name": _text(tensor.name),
        "dtype": _names(schema().TensorType).get(tensor.type, f"type {tensor.type}").lower(),
        "shape": [] if tensor.shape is None else [int(side) for side in np.atleast_1d(tensor.shape)],
        "quantization": _quantization(tensor.quantization),
        "constant_bytes": 0 if buffer is None else len(buffer),
    }


def _quantization(quantization: Any) -> dict[str, Any] | None:
    if quantization is None or quantization.scale is None or len(quantization.scale) == 0:
        return None
    scales = [float(scale) for scale in quantization.scale]
    points = [int(point) for point in (quantization.zeroPoint if quantization.zeroPoint is not None else [0])]
    if len(scales) == 1:
        return {"scale": scales[0], "zero_point": points[0]}
    return {
        "channels": len(scales),
        "axis": int(quantization.quantizedDimension),
        "smallest_scale": min(scales),
        "largest_scale": max(scales),
    }


def _code(code: Any) -> tuple[str, int, bool]:
    """Name and version of an operator, and whether it is a custom one."""
    # Writers before schema 3a fill the one-byte field only.
    kind = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _names(schema().BuiltinOperator).get(kind, f"operator {kind}")  # the schema may be older than the file
    custom = name == "CUSTOM"
    return _text(code.customCode) if custom else name, int(code.version), custom


def _operators(codes: list[tuple[str, int, bool]], subgraph: Any) -> list[dict[str, Any]]:
    counts = Counter(codes[operator.opcodeIndex][:2] for operator in subgraph.operators)
    return [{"name": name, "version": version, "count": count} for (name, version), count in sorted(counts.items())]
