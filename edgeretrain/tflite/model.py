"""A .tflite file that can be edited: tensors, constants and operators are looked up, added, replaced, dropped.

Everything that changes a file does it here: `graft` and `ungraft` (the head), `extract` (a part), `quantization`
(backbones). The same edits give the same bytes.
"""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.flatbuffer import (
    ModelT,
    OperatorKind,
    OperatorT,
    OptionsT,
    SubGraphT,
    TensorT,
    as_damaged_file,
    enum_names,
    numbers,
    operator_kind,
    read_model,
    schema,
    text,
    write_model,
)
from edgeretrain.tflite.quantized import Array, Quantization

_DTYPES = {"float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool"}


class Model:
    """One subgraph of a .tflite file, by default the main one, and what its subgraphs share: buffers, operator codes.

    Tensors and operators are the schema's objects, `TensorT` and `OperatorT`, known by their number. On a damaged
    file any method may raise what `as_damaged_file` turns into an EdgeretrainError.

    Attributes:
        name: of the file, for messages.
        tree: the file's `ModelT`.
        graph: the subgraph's `SubGraphT`.
    """

    def __init__(self, tree: ModelT, *, name: str = "The model", subgraph: int = 0) -> None:
        self.name, self.tree, self.graph = name, tree, tree.subgraphs[subgraph]

    @classmethod
    def read(cls, source: Path | bytes) -> "Model":
        """A file, or its bytes.

        Raises:
            EdgeretrainError: the file cannot be read, is not a TFLite model, or is damaged.
        """
        tree = read_model(source)
        name = str(source) if isinstance(source, Path) else "The model"
        with as_damaged_file(name):
            return cls(tree, name=name)

    def write(self) -> bytes:
        """The bytes of the file."""
        return write_model(self.tree)

    def copy(self) -> "Model":
        """Another model, edited without changing this one. Contents of buffers and operators' options are shared."""
        tree = copy.copy(self.tree)
        tree.buffers = list(tree.buffers)
        _copy_entries(tree, "operatorCodes", "metadata", "subgraphs")
        for graph in tree.subgraphs:
            _copy_entries(graph, "tensors", "operators")
        tree.signatureDefs = copy.deepcopy(tree.signatureDefs)
        return Model(tree, name=self.name, subgraph=self.tree.subgraphs.index(self.graph))

    def all_subgraphs(self) -> Iterator["Model"]:
        """This file, seen from each of its subgraphs in turn."""
        return (Model(self.tree, name=self.name, subgraph=place) for place in range(len(self.tree.subgraphs)))

    # Looking up

    @property
    def tensors(self) -> list[TensorT]:
        """The `TensorT` of the subgraph; a tensor's number is its place."""
        return self.graph.tensors  # type: ignore[no-any-return]

    @property
    def operators(self) -> list[OperatorT]:
        """The `OperatorT` of the subgraph, in the order they run."""
        return self.graph.operators  # type: ignore[no-any-return]

    @property
    def inputs(self) -> tuple[int, ...]:
        """Numbers of the input tensors."""
        return numbers(self.graph.inputs)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Numbers of the output tensors."""
        return numbers(self.graph.outputs)

    def kinds(self) -> list[OperatorKind]:
        """What each operator code of the file stands for."""
        return [operator_kind(code) for code in self.tree.operatorCodes]

    def kind(self, operator: OperatorT) -> str:
        """The name of an operator of TFLite's own, such as `CONV_2D`; "" of a custom one."""
        kind = operator_kind(self.tree.operatorCodes[operator.opcodeIndex])
        return "" if kind.custom else kind.name

    def consumers(self) -> dict[int, list[tuple[OperatorT, int]]]:
        """For each tensor that is read: the operators that read it, and the position among their inputs."""
        consumers: dict[int, list[tuple[OperatorT, int]]] = {}
        for operator in self.operators:
            for place, tensor in enumerate(numbers(operator.inputs)):
                consumers.setdefault(tensor, []).append((operator, place))
        return consumers

    def dtype(self, tensor: int) -> str:
        """A tensor's type as the schema names it, in small letters: `float32`, `uint8`."""
        kind = self.tensors[tensor].type
        return enum_names("TensorType").get(kind, f"type {kind}").lower()

    def quantization(self, tensor: int) -> Quantization:
        """Of a tensor with one scale, or none. Of one with a scale for each channel, the first channel's."""
        quantization = self.tensors[tensor].quantization
        if quantization is None or quantization.scale is None or not len(quantization.scale):
            return Quantization(0.0, 0)
        return Quantization(float(quantization.scale[0]), (*numbers(quantization.zeroPoint), 0)[0])

    def constant(self, tensor: int) -> Array | None:
        """The numbers of a constant tensor as they are stored, in its own type and shape; None for a computed one.

        Raises:
            EdgeretrainError: they are packed, or of a type that NumPy does not have.
        """
        entry = self.tensors[tensor]
        data = self.tree.buffers[entry.buffer].data
        if data is None or not len(data):
            return None
        dtype = self.dtype(tensor)
        if dtype not in _DTYPES or entry.sparsity is not None:
            packing = "sparse" if dtype in _DTYPES else dtype.upper()
            raise EdgeretrainError(
                f"{self.name}: its constant {text(entry.name)} is {packing}, which is not supported. Convert the "
                "network to a .tflite file with float32 weights."
            )
        return np.frombuffer(np.asarray(data, np.uint8).tobytes(), dtype).reshape(numbers(entry.shape))

    def metadata(self, name: str) -> bytes | None:
        """The metadata of that name."""
        for entry in self.tree.metadata or ():
            if text(entry.name) == name:
                data = self.tree.buffers[entry.buffer].data
                return b"" if data is None else np.asarray(data, np.uint8).tobytes()
        return None

    # Editing

    def add_tensor(
        self, name: str, shape: Sequence[int], dtype: npt.DTypeLike, quantization: Quantization | None = None
    ) -> int:
        """Add a tensor that is computed; its number."""
        tensor = schema().TensorT()
        tensor.name, tensor.shape = name, np.asarray(shape, np.int32)
        tensor.type = getattr(schema().TensorType, np.dtype(dtype).name.upper())
        self.tensors.append(tensor)
        if quantization is not None:
            self.set_scales(len(self.tensors) - 1, [quantization.scale], [quantization.zero_point])
        return len(self.tensors) - 1

    def add_copy(self, tensor: int, name: str | None = None) -> int:
        """Add a tensor like another one, under a name of its own if it is given one; its number."""
        self.tensors.append(copy.copy(self.tensors[tensor]))
        if name is not None:
            self.tensors[-1].name = name
        return len(self.tensors) - 1

    def add_constant(self, name: str, values: Array, quantization: Quantization | None = None) -> int:
        """Add a tensor that holds these numbers, in their shape and type; its number."""
        tensor = self.add_tensor(name, values.shape, values.dtype, quantization)
        self.tensors[tensor].buffer = self.add_buffer(values.tobytes())
        return tensor

    def add_buffer(self, data: bytes) -> int:
        """Add a buffer; its number. Number 0 is by convention the empty one that computed tensors refer to."""
        buffer = schema().BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.tree.buffers.append(buffer)
        return len(self.tree.buffers) - 1

    def set_constant(self, tensor: int, values: Array) -> None:
        """Give a constant other numbers, and a buffer of its own where it shared one with another tensor."""
        entry = self.tensors[tensor]
        added = self.add_buffer(values.tobytes())
        if sum(other.buffer == entry.buffer for graph in self.tree.subgraphs for other in graph.tensors) > 1:
            entry.buffer = added
        else:
            self.tree.buffers[entry.buffer] = self.tree.buffers.pop()

    def set_scales(self, tensor: int, scale: npt.ArrayLike, zero_point: npt.ArrayLike, axis: int = 0) -> None:
        """Quantize a tensor: a scale and a zero point for each entry along an axis, or one of each for all."""
        quantization = schema().QuantizationParametersT()
        quantization.scale = np.asarray(scale, np.float32)
        quantization.zeroPoint = np.asarray(zero_point, np.int64)
        quantization.quantizedDimension = axis
        self.tensors[tensor].quantization = quantization

    def operator_code(self, kind: str, version: int) -> int:
        """The number of an operator code; it is added where the file does not have it."""
        value = getattr(schema().BuiltinOperator, kind)
        for number, code in enumerate(self.tree.operatorCodes):
            if (code.builtinCode, code.version, operator_kind(code).name) == (value, version, kind):
                return number
        code = schema().OperatorCodeT()
        # Readers older than schema 3a know the one-byte field only; 127 in it points to the new one.
        code.builtinCode, code.deprecatedBuiltinCode, code.version = value, min(value, 127), version
        self.tree.operatorCodes.append(code)
        return len(self.tree.operatorCodes) - 1

    def add_operator(
        self,
        kind: str,
        inputs: Sequence[int],
        output: int,
        options: OptionsT | None = None,
        *,
        version: int = 1,
        place: int | None = None,
    ) -> None:
        """Add an operator.

        Args:
            options: the schema's object for this kind, such as `MulOptionsT()`.
            place: in the order they run; None: the last one.
        """
        operator = schema().OperatorT()
        operator.opcodeIndex = self.operator_code(kind, version)
        operator.inputs, operator.outputs = np.asarray(inputs, np.int32), np.asarray([output], np.int32)
        if options is not None:
            kind_of_options = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema().BuiltinOptions, kind_of_options)
            operator.builtinOptions = options
        self.operators.insert(len(self.operators) if place is None else place, operator)

    def set_input(self, tensor: int) -> None:
        """Make a tensor the only input."""
        self.graph.inputs = np.asarray([tensor], np.int32)

    def set_output(self, tensor: int, name: str) -> None:
        """Make a tensor the only output; signatures that gave the one before give it, under this name."""
        before = self.outputs[0]
        self.graph.outputs = np.asarray([tensor], np.int32)
        for signature in self.tree.signatureDefs or ():
            for entry in signature.outputs:
                if entry.tensorIndex == before:
                    entry.tensorIndex, entry.name = tensor, name

    def set_metadata(self, name: str, data: bytes) -> None:
        """Add metadata, in place of any of that name."""
        self.drop_metadata(name)
        entry = schema().MetadataT()
        entry.name, entry.buffer = name, self.add_buffer(data)
        self.tree.metadata.append(entry)

    def drop_metadata(self, *names: str) -> None:
        """Take the metadata of these names out; their buffers stay until `prune`."""
        self.tree.metadata = [entry for entry in self.tree.metadata or () if text(entry.name) not in names]

    def prune(self) -> None:
        """Drop the buffers that no tensor and no metadata refers to."""
        tensors = (tensor for graph in self.tree.subgraphs for tensor in graph.tensors)
        holders = [*tensors, *(self.tree.metadata or ())]
        kept = sorted({0, *(holder.buffer for holder in holders)})
        place = {old: new for new, old in enumerate(kept)}
        self.tree.buffers = [self.tree.buffers[old] for old in kept]
        for holder in holders:
            holder.buffer = place[holder.buffer]


def _copy_entries(owner: ModelT | SubGraphT, *fields: str) -> None:
    """Give an object copies of the entries of its lists."""
    for field in fields:
        entries = getattr(owner, field)
        setattr(owner, field, None if entries is None else [copy.copy(entry) for entry in entries])
