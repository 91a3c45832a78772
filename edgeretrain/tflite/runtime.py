"""Runs .tflite files: LiteRT, tflite-runtime or TensorFlow, whichever is there, behind one small class."""

import contextlib
import importlib
import importlib.metadata
import io
import os
import platform
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.greeting import without_greeting
from edgeretrain.threads import check_threads


@dataclass(frozen=True)
class Runtime:
    """An installed interpreter of .tflite files."""

    name: str
    version: str
    interpreter: Any

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


def _check_numpy(interpreter: Any) -> None:
    """Raise ImportError if a tflite-runtime does not work with this NumPy 2.

    The published wheels are built for NumPy 1. Under NumPy 2 they import, but their first interpreter fails with a
    SystemError and twenty lines of explanation on stderr.
    """
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            interpreter(model_content=_EMPTY_MODEL)
    except Exception as error:  # that this is no whole model, at least
        if isinstance(error, SystemError) or isinstance(error.__cause__, ImportError):
            raise ImportError(f"{_WRONG_NUMPY}, not for NumPy {np.__version__}") from None


def _install_hint(name: str | None, failures: Sequence[str]) -> str:
    if any(_WRONG_NUMPY in failure for failure in failures):
        return 'Run pip install "numpy<2"'
    thirty_two_bit = _thirty_two_bit()
    wanted = name or ("tflite_runtime" if thirty_two_bit else "ai_edge_litert")
    if wanted == "tflite_runtime" and sys.version_info >= (3, 12):
        other = "64-bit Raspberry Pi OS with ai-edge-litert" if thirty_two_bit else "ai_edge_litert"
        return f"There is a tflite-runtime for Python 3.9 to 3.11 only: use {other}."
    packages = {"tflite_runtime": 'tflite-runtime "numpy<2"', "ai_edge_litert": "ai-edge-litert"}
    return f"Run pip install {packages.get(wanted, wanted)}"


# What the runtimes say of an operator, or a version of one, that they are too old for.
_OPERATOR_VERSION = re.compile(r"builtin opcode '(\w+)' version '(\d+)'")
_OPERATOR_NUMBER = re.compile(r"builtin_code out of range: (\d+)")


def _cannot_load(runtime: Runtime, reason: str) -> str:
    version, number = _OPERATOR_VERSION.search(reason), _OPERATOR_NUMBER.search(reason)
    if version is None and number is None:
        return (
            f"{runtime} cannot load it ({reason}). "
            "If the file is whole, a newer runtime may: pip install --upgrade ai-edge-litert"
        )
    needs = f"{version[1]} version {version[2]}" if version else f"operator number {number[1] if number else '?'}"
    told = f"{runtime} cannot load it: the model needs {needs}, for which this runtime is too old."
    if _thirty_two_bit():
        return (
            f"{told} On a 32-bit system there is no newer one: use 64-bit Raspberry Pi OS with ai-edge-litert, or a "
            "model written by `edgeretrain retrain`, which tflite-runtime 2.14 loads."
        )
    return f"{told} A newer LiteRT may not be: pip install --upgrade ai-edge-litert"


def _thirty_two_bit() -> bool:
    return platform.machine() in ("armv7l", "armv6l")


class Network:
    """A .tflite file with one image input and one output, ready to run.

    Holds one interpreter: use it from one thread at a time.

    Attributes:
        size: side S of the square input, pixels.
        input_dtype: `float32` or `uint8`, both fed raw RGB, 0 to 255.
        outputs: length of the output vector.
        runtime: what runs it.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 1, runtime: Runtime | None = None) -> None:
        """Load a model from its file or its bytes.

        Raises:
            EdgeretrainError: the file is missing or no TFLite model, this runtime lacks one of its ops, or its
                input is not `[1, S, S, 3]` float32 or uint8, or its output not a vector.
        """
        check_threads(threads)
        self.name = "the model" if isinstance(model, bytes) else str(model)
        self.runtime = runtime or load_runtime()
        if isinstance(model, Path):
            check_is_tflite(model)
            source: dict[str, Any] = {"model_path": os.fspath(model)}
        else:
            source = {"model_content": model}
        self._interpreter = start_interpreter(self.runtime, self.name, **source, num_threads=threads)
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        shape = inputs[0]["shape"].tolist() if inputs else []
        image = len(shape) == 4 and shape[0] == 1 and shape[1] == shape[2] and shape[3] == 3
        if len(inputs) != 1 or not image or inputs[0]["dtype"] not in (np.float32, np.uint8):
            found = ", ".join(f"{np.dtype(one['dtype']).name} {one['shape'].tolist()}" for one in inputs)
            raise EdgeretrainError(
                f"{self.name}: its input is {found}; edgeretrain's models take one photo, float32 or uint8 "
                "[1, S, S, 3], raw RGB. Use a model written by `edgeretrain retrain`."
            )
        if len(outputs) != 1 or int(np.prod(outputs[0]["shape"])) != max(outputs[0]["shape"], default=0):
            found = ", ".join(str(one["shape"].tolist()) for one in outputs)
            raise EdgeretrainError(f"{self.name}: its output is {found}; one vector [1, n] is needed.")
        self.size = int(shape[1])
        self.input_dtype = np.dtype(inputs[0]["dtype"])
        self.outputs = int(np.prod(outputs[0]["shape"]))
        self._input_index = inputs[0]["index"]
        self._output_index = outputs[0]["index"]
        self._quantization = outputs[0]["quantization"]

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Run one image.

        Args:
            pixels: uint8 `[S, S, 3]`, RGB, 0 to 255.

        Returns:
            float32 `[outputs]`; quantized outputs are dequantized.
        """
        self._interpreter.set_tensor(self._input_index, pixels.astype(self.input_dtype, copy=False)[None])
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output_index).reshape(-1)
        return dequantized(raw, self._quantization)


def start_interpreter(runtime: Runtime, name: str, **arguments: Any) -> Any:
    """An interpreter that is ready to run.

    Args:
        name: of the model, for messages.
        arguments: of the runtime's `Interpreter`.

    Raises:
        EdgeretrainError: the runtime cannot load the model.
    """
    try:
        with without_greeting(runtime.name):
            interpreter = runtime.interpreter(**arguments)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError, SystemError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else "it gives no reason"
        raise EdgeretrainError(f"{name}: {_cannot_load(runtime, reason)}") from None
    return interpreter


def dequantized(raw: npt.NDArray[Any], quantization: tuple[float, int]) -> npt.NDArray[np.float32]:
    """Numbers of a tensor as float32; `quantization` is its scale and zero point, scale 0 for floats."""
    scale, zero_point = quantization
    if not scale:
        return np.asarray(raw, np.float32)
    return np.asarray((raw.astype(np.float32) - np.float32(zero_point)) * np.float32(scale), np.float32)


def check_is_tflite(path: Path) -> None:
    """Raise EdgeretrainError unless the file is there and starts like a TFLite flatbuffer (identifier `TFL3`)."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}). Give a .tflite file.") from None
    if start[4:8] != b"TFL3":
        raise EdgeretrainError(f"{path}: this is not a TFLite model. Give a .tflite file.")
