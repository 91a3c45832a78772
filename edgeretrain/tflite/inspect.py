"""What is in a .tflite file: tensors, operators with versions, sizes, costs, quantization, labels, card."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.cost import layer_costs
from edgeretrain.tflite.flatbuffer import QuantizationT, as_damaged_file, text
from edgeretrain.tflite.model import Model
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
        EdgeretrainError: the file cannot be read, is not a TFLite model, or is damaged.
    """
    model = Model.read(path)
    with as_damaged_file(path):
        description = _description(model)
    try:
        package = read_package(path)
        labels, card = list(package.labels), package.card
    except EdgeretrainError:
        if has_card(path):
            raise
        labels, card = [], {}
    return {"file": path.name, "bytes": path.stat().st_size, **description, "labels": labels, "card": card}


def _description(model: Model) -> dict[str, Any]:
    tensors = [_tensor(model, number) for number in range(len(model.tensors))]
    layers = layer_costs(model)
    return {
        "weight_bytes": sum(len(buffer.data) for buffer in model.tree.buffers if buffer.data is not None),
        "description": text(model.tree.description),
        "macs": sum(layer["macs"] or 0 for layer in layers),
        "parameters": sum(layer["parameters"] for layer in layers),
        "inputs": [tensors[number] for number in model.inputs],
        "outputs": [tensors[number] for number in model.outputs],
        "operators": _operators(model),
        "layers": layers,
        "tensors": tensors,
        "metadata": [text(entry.name) for entry in model.tree.metadata or []],
    }


def _tensor(model: Model, number: int) -> dict[str, Any]:
    tensor = model.tensors[number]
    buffer = model.tree.buffers[tensor.buffer].data
    return {
        "name": text(tensor.name),
        "dtype": model.dtype(number),
        "shape": [] if tensor.shape is None else [int(side) for side in np.atleast_1d(tensor.shape)],
        "quantization": _quantization(tensor.quantization),
        "constant_bytes": 0 if buffer is None else len(buffer),
    }


def _quantization(quantization: QuantizationT | None) -> dict[str, Any] | None:
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


def _operators(model: Model) -> list[dict[str, Any]]:
    kinds = model.kinds()
    used = (kinds[operator.opcodeIndex] for operator in model.operators)
    counts = Counter((kind.name, kind.version) for kind in used)
    return [{"name": name, "version": version, "count": count} for (name, version), count in sorted(counts.items())]
