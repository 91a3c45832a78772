"""Runs .tflite files with LiteRT, tflite-runtime or TensorFlow, whichever is installed."""

import contextlib
import importlib
import importlib.metadata
import io
import os
import platform
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.foreign import HEAD_BYTES, foreign_file
from edgeretrain.tflite.quantized import Array, Quantization
from edgeretrain.tflite.quiet import suppress_banner
from edgeretrain.threads import check_threads

InterpreterClass = Any
"""A runtime's `Interpreter`; none of the runtimes has types."""


@dataclass(frozen=True)
class Runtime:
    """An installed interpreter of .tflite files."""

    name: str
    version: str
    interpreter: InterpreterClass

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


# name -> (module that holds `Interpreter`, distribution that gives its version); the order is the order of preference.
_RUNTIMES = {
    "ai_edge_litert": ("ai_edge_litert.interpreter", "ai-edge-litert"),
    "tflite_runtime": ("tflite_runtime.interpreter", "tflite-runtime"),
    "tensorflow": ("tensorflow.lite.python.interpreter", "tensorflow"),
}
RUNTIME_NAMES = tuple(_RUNTIMES)


def load_runtime(name: str | None = None) -> Runtime:
    """The runtime of that name, or the first one installed of LiteRT, tflite-runtime and TensorFlow.

    Raises:
        EdgeretrainError: the name is unknown, or no such runtime is installed or importable here.
    """
    if name is not None and name not in _RUNTIMES:
        raise EdgeretrainError(f"There is no runtime {name!r}. Use one of {', '.join(_RUNTIMES)}.")
    failures = []
    for candidate in [name] if name else _RUNTIMES:
        module, distribution = _RUNTIMES[candidate]
        try:
            interpreter = importlib.import_module(module).Interpreter
            if candidate == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
                _check_numpy(interpreter)
            return Runtime(candidate, _version(distribution), interpreter)
        # A runtime built for another NumPy or C library fails in more ways than ImportError.
        except (ImportError, AttributeError, OSError, RuntimeError) as error:
            failures.append(f"{candidate}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    what = f"The runtime {name} does not work here" if name else "No runtime for .tflite files works here"
    raise EdgeretrainError(f"{what} ({'; '.join(failures)}). {_install_hint(name, failures)}")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:  # tensorflow-cpu, tf-nightly, a build of one's own
        return "of unknown version"


# The shortest file that a runtime takes for a model until after it has turned to NumPy: an empty table, `TFL3`.
_EMPTY_MODEL = b"\x0c\0\0\0TFL3\x04\0\x04\0\x04\0\0\0"
_WRONG_NUMPY = "built for NumPy 1"


def _check_numpy(interpreter: InterpreterClass) -> None:
    """Raise ImportError if a tflite-runtime does not work with this NumPy 2.

    The published wheels are built for NumPy 1. Under NumPy 2 they import, but their first interpreter fails with a
    SystemError and twenty lines of explanation on stderr.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            interpreter(model_content=_EMPTY_MODEL)
    except Exception as error:  # at least because the model is incomplete
        if isinstance(error, SystemError) or isinstance(error.__cause__, ImportError):
            raise ImportError(f"{_WRONG_NUMPY}, not for NumPy {np.__version__}") from None


def _install_hint(name: str | None, failures: Sequence[str]) -> str:
    if any(_WRONG_NUMPY in failure for failure in failures):
        return 'Run pip install "numpy<2"'
    thirty_two_bit = _thirty_two_bit()
    runtime = name or ("tflite_runtime" if thirty_two_bit else "ai_edge_litert")
    if runtime == "tflite_runtime" and sys.version_info >= (3, 12):
        other = "64-bit Raspberry Pi OS with ai-edge-litert" if thirty_two_bit else "ai_edge_litert"
        return f"There is a tflite-runtime for Python 3.9 to 3.11 only: use {other}."
    packages = {"tflite_runtime": 'tflite-runtime "numpy<2"', "ai_edge_litert": "ai-edge-litert"}
    return f"Run pip install {packages.get(runtime, runtime)}"


# The runtimes' messages for an operator, or a version of one, that they do not support.
_OPERATOR_VERSION = re.compile(r"builtin opcode '(\w+)' version '(\d+)'")
_OPERATOR_NUMBER = re.compile(r"builtin_code out of range: (\d+)")


def _cannot_load(runtime: Runtime, reason: str) -> str:
    version, number = _OPERATOR_VERSION.search(reason), _OPERATOR_NUMBER.search(reason)
    if version is None and number is None:
        return (
            f"{runtime} cannot load it ({reason}). "
            "If the file is intact, try a newer runtime: pip install --upgrade ai-edge-litert"
        )
    needs = f"{version[1]} version {version[2]}" if version else f"operator number {number[1] if number else '?'}"
    problem = f"{runtime} cannot load it: the model needs {needs}, which this runtime does not support."
    if _thirty_two_bit():
        return (
            f"{problem} There is no newer one for a 32-bit system: use 64-bit Raspberry Pi OS with ai-edge-litert, or "
            "a model written by `edgeretrain retrain`, which tflite-runtime 2.14 loads."
        )
    return f"{problem} Upgrade LiteRT: pip install --upgrade ai-edge-litert"


def _thirty_two_bit() -> bool:
    return platform.machine() in ("armv7l", "armv6l")


@dataclass(frozen=True)
class TensorInfo:
    """A tensor of a loaded model.

    Attributes:
        index: its number in the interpreter.
        dtype: of its numbers; `object` for what NumPy has no type for.
        quantization: of the whole tensor.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return int(np.prod(self.shape))

    @property
    def is_square_rgb(self) -> bool:
        """Whether its shape is `[1, S, S, 3]`."""
        return len(self.shape) == 4 and self.shape == (1, self.shape[1], self.shape[1], 3)

    def __str__(self) -> str:
        return f"{self.dtype.name} {list(self.shape)}"


class Runner:
    """A .tflite file of any maker in an interpreter: set its inputs, invoke it, read its outputs.

    Holds one interpreter: use it from one thread at a time.

    Attributes:
        name: of the model, for messages.
        runtime: what runs it.
        inputs, outputs: its ends, in the file's order.
        interpreter: the runtime's own, for everything without a method here.
        invoke: run it once, on the inputs that were set.
    """

    def __init__(
        self,
        model: Path | bytes,
        *,
        name: str | None = None,
        threads: int = 1,
        runtime: Runtime | None = None,
        delegates: bool = True,
        keep_tensors: bool = False,
        banner: bool = False,
    ) -> None:
        """Load a model from its file or its bytes, ready to run.

        Args:
            name: of the model, for messages; default its path.
            threads: of the interpreter.
            runtime: default the first one installed.
            delegates: let XNNPACK run what it can; False: only the runtime's own kernels.
            keep_tensors: give every tensor its own memory, so that all can be read after a run.
            banner: let the runtime print what it prints when a process loads its first model. Keeping it off the
                terminal takes 0.4 ms then, which counts where loading is timed.

        Raises:
            EdgeretrainError: the file is missing or no TFLite model; this runtime cannot load it, or lacks one of its
                operators.
        """
        check_threads(threads)
        self.name = name or ("the model" if isinstance(model, bytes) else str(model))
        self.runtime = runtime or load_runtime()
        if isinstance(model, bytes):
            options: dict[str, Any] = {"model_content": model}
        else:
            check_is_tflite(model)
            options = {"model_path": os.fspath(model)}
        if not delegates:
            module = importlib.import_module(self.runtime.interpreter.__module__)
            options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        if keep_tensors:
            options["experimental_preserve_all_tensors"] = True
        try:
            # It is a delegate that prints the banner: without one, the next model is still the first.
            with contextlib.nullcontext() if banner or not delegates else suppress_banner(self.runtime.name):
                self.interpreter = self.runtime.interpreter(**options, num_threads=threads)
                self.interpreter.allocate_tensors()
        except (ValueError, RuntimeError, SystemError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "it gives no reason"
            raise EdgeretrainError(f"{self.name}: {_cannot_load(self.runtime, reason)}") from None
        self.inputs = tuple(map(_tensor_info, self.interpreter.get_input_details()))
        self.outputs = tuple(map(_tensor_info, self.interpreter.get_output_details()))
        self.invoke: Callable[[], None] = self.interpreter.invoke

    def tensors(self) -> tuple[TensorInfo, ...]:
        """All tensors that the interpreter has, inner ones and constants, too."""
        return tuple(map(_tensor_info, self.interpreter.get_tensor_details()))

    def set(self, tensor: TensorInfo, values: Array) -> None:
        """Set an input: numbers of its shape and type; integers are not converted."""
        self.interpreter.set_tensor(tensor.index, values)

    def resize(self, tensor: TensorInfo, shape: Sequence[int]) -> None:
        """Change the shape of an input; set all inputs afterwards."""
        self.interpreter.resize_tensor_input(tensor.index, shape)
        self.interpreter.allocate_tensors()

    def stored(self, tensor: TensorInfo) -> Array:
        """A copy of a tensor's numbers; integers are not converted."""
        return np.asarray(self.interpreter.get_tensor(tensor.index))

    def real(self, tensor: TensorInfo) -> npt.NDArray[np.float32]:
        """A copy of the real numbers that a tensor stands for."""
        return tensor.quantization.real(self.stored(tensor))

    def run(self, values: Array) -> npt.NDArray[np.float32]:
        """The real numbers of the first output, in its shape, for the numbers of the first input (see `set`)."""
        self.set(self.inputs[0], values)
        self.invoke()
        return self.real(self.outputs[0])


def _tensor_info(details: dict[str, Any]) -> TensorInfo:
    try:
        dtype = np.dtype(details["dtype"])
    except TypeError:
        dtype = np.dtype(object)
    shape = tuple(int(side) for side in details["shape"])
    return TensorInfo(details["index"], details["name"], shape, dtype, Quantization(*details["quantization"]))


class Network:
    """A .tflite file with one image input and one output, ready to run.

    Holds one interpreter: use it from one thread at a time.

    Attributes:
        size: side S of the square input, pixels.
        input_dtype: `float32` or `uint8`, both fed raw RGB, 0 to 255.
        outputs: length of the output vector.
        runtime: what runs it.
        runner: the file in its interpreter.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 1, runtime: Runtime | None = None) -> None:
        """Load a model from its file or its bytes.

        Raises:
            EdgeretrainError: the file is missing or no TFLite model, this runtime lacks one of its operators, or its
                input is not `[1, S, S, 3]` float32 or uint8, or its output not a vector.
        """
        self.runner = runner = Runner(model, threads=threads, runtime=runtime)
        photo = runner.inputs[0] if len(runner.inputs) == 1 else None
        if photo is None or not photo.is_square_rgb or photo.dtype not in (np.float32, np.uint8):
            raise EdgeretrainError(
                f"{runner.name}: its input is {', '.join(map(str, runner.inputs))}; edgeretrain's models take one "
                "photo, float32 or uint8 [1, S, S, 3], raw RGB. Use a model written by `edgeretrain retrain`."
            )
        if len(runner.outputs) != 1 or runner.outputs[0].size != max(runner.outputs[0].shape, default=0):
            shapes = ", ".join(str(list(output.shape)) for output in runner.outputs)
            raise EdgeretrainError(f"{runner.name}: its output is {shapes}; one vector [1, n] is needed.")
        self.runtime = runner.runtime
        self.size = photo.shape[1]
        self.input_dtype = photo.dtype
        self.outputs = runner.outputs[0].size

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run one image.

        Args:
            pixels: uint8 `[S, S, 3]`, RGB, 0 to 255.

        Returns:
            float32 `[outputs]`; quantized outputs are dequantized.
        """
        return self.runner.run(pixels.astype(self.input_dtype, copy=False)[None]).reshape(-1)


def check_is_tflite(path: Path) -> None:
    """Raise EdgeretrainError unless the file is there and starts like a TFLite flatbuffer (identifier `TFL3`)."""
    try:
        with path.open("rb") as file:
            start = file.read(HEAD_BYTES)
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}). Give a .tflite file.") from None
    if start[4:8] != b"TFL3":
        if (found := foreign_file(start)) is not None:
            raise EdgeretrainError(f"{path}: this is not a TFLite model but {found.what}. {found.advice}.")
        raise EdgeretrainError(f"{path}: this is not a TFLite model. Give a .tflite file.")
