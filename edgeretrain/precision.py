"""The four precisions of a model file."""

from typing import Literal, get_args

Precision = Literal["float32", "float16", "dynamic", "int8"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
