"""Names for TensorFlow's objects, which have no types: a signature says at least what is meant."""

from typing import Any

TfTensor = Any
"""A tensor, eager or symbolic, or a variable."""
TfFunction = Any
"""A `ConcreteFunction`."""
KerasModel = Any
KerasLayer = Any
GraphDef = Any
MetaGraphDef = Any
NodeDef = Any
"""Protocol buffers."""
