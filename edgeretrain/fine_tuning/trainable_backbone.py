"""A float32 backbone file as a TensorFlow network whose top layers are trainable.

Only the file is needed: no checkpoint, no architecture in Python. So every backbone can be tuned: bundled, built, or
the user's own. Batch normalisation is in inference mode by construction: the file has it folded into the convolutions.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeretrain.backbone.source import SourceOverrides
from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from edgeretrain.importers.tflite_cut import averaged_map, find_entry
from edgeretrain.options import Layers
from edgeretrain.tflite.graph import Graph
from edgeretrain.tflite.quiet import quiet
from edgeretrain.tflite.tensorflow_types import TfTensor
from edgeretrain.tflite.to_tensorflow import check_known, run_operators

_LAYERS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}


class TrainableBackbone:
    """Scaled photos, a tensor `float32 [n,S,S,3]` -> bottlenecks, `float32 [n,d]`. Can be traced.

    Attributes:
        size: S, pixels.
        scaling: how raw RGB becomes the scaled photo.
        length: d.
        parameters: numbers in its weights.
        variables: the trainable ones, TensorFlow's, from the photo to the bottleneck.
    """

    def __init__(self, path: Path, layers: Layers) -> None:
        """Read a backbone that takes raw RGB, `float32 [1,S,S,3]`.

        Raises:
            EdgeretrainError: it is not such a file, or damaged; it has an operator that cannot be translated, fewer
                layers, or weights that are not float32.
        """
        import tensorflow as tf

        self._graph = graph = Graph(path)
        entry = find_entry(graph, SourceOverrides(scaling=Scaling.between(0, 255)))
        self._photo, self.size, self.scaling = entry.tensor, entry.size, entry.scaling
        feature_map = averaged_map(graph, graph.outputs[0])
        self._averaged = feature_map is not None
        self._output = graph.outputs[0] if feature_map is None else feature_map
        self._operators = graph.needed(self._output, [self._photo])
        check_known(graph, self._operators)
        self.parameters = graph.parameters(self._operators)
        own = [number for number in self._operators if graph.operators[number].kind in _LAYERS]
        if layers != "all" and layers > len(own):
            raise EdgeretrainError(
                f"This backbone has {len(own)} layers with weights, so {layers} cannot be fine-tuned. "
                f"Use --fine-tune all, or a number up to {len(own)}."
            )
        with quiet():
            self._variables: dict[int, TfTensor] = {}
            for number in own if layers == "all" else own[-layers:]:
                self._make_trainable(number)
            self._shapes = self._any_batch()
            self.length = int(self(tf.zeros((1, self.size, self.size, 3))).shape[1])
        self.variables = list(self._variables.values())

    def __call__(self, scaled: TfTensor) -> TfTensor:
        import tensorflow as tf

        values = {self._photo: scaled, **self._shapes, **self._variables}
        result = run_operators(self._graph, self._operators, values, self._output)
        return tf.reduce_mean(result, (1, 2)) if self._averaged else tf.reshape(result, (scaled.shape[0], -1))

    def _make_trainable(self, number: int) -> None:
        """Make the weights and the bias of an operator trainable."""
        import tensorflow as tf

        graph = self._graph
        operator = graph.operators[number]
        inputs = list(operator.inputs)
        for position, index in enumerate(inputs):
            tensor = None if index < 0 else graph.tensors[index]
            if tensor is None or tensor.constant is None or not tensor.constant.ndim:
                continue
            if tensor.scale or tensor.constant.dtype != np.float32:
                raise EdgeretrainError(
                    f"{graph.path}: its weights are {tensor.dtype}; only a float32 backbone can be fine-tuned. Make "
                    "one with `edgeretrain backbone build`."
                )
            # Under a number of its own: converters store equal constants, such as biases of zeros, only once.
            inputs[position] = len(graph.tensors)
            graph.tensors.append(tensor)
            self._variables[inputs[position]] = tf.Variable(tensor.constant)
        graph.operators[number] = replace(operator, inputs=tuple(inputs))

    def _any_batch(self) -> dict[int, TfTensor]:
        """Shapes of reshapes for one photo, such as `[1,1,1,d]`, changed for any number of photos."""
        shapes = {}
        for operator in (self._graph.operators[number] for number in self._operators):
            output = self._graph.tensors[operator.outputs[0]]
            if operator.kind == "RESHAPE" and len(operator.inputs) > 1 and output.shape[:1] == (1,):
                shape = self._graph.tensors[operator.inputs[1]].constant
                if shape is not None and None not in output.shape:
                    shapes[operator.inputs[1]] = np.asarray([-1, *output.shape[1:]], np.int32)
        return shapes
