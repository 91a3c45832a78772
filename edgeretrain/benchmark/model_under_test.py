"""One model under test: any .tflite file with inputs that can be filled, and, where it classifies images, photos."""

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeretrain.data.pixels import Fit, load_pixels
from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite.package import read_package
from edgeretrain.tflite.runtime import Runner, Runtime, TensorInfo

_IMAGE_TYPES = (np.float32, np.uint8, np.int8)


class ModelUnderTest:
    """A loaded model with random inputs. Unlike `Network` it takes models of any making.

    Attributes:
        delegate: `XNNPACK`, or `none` where the runtime's own kernels do all the work; None if the runtime cannot tell.
        end_to_end_note: why it cannot be run on photos, or what its photos lack; None where nothing is to be said.
        takes_photos: whether it can be run on photos.
    """

    def __init__(self, model: Path, *, threads: int, runtime: Runtime, xnnpack: bool = True) -> None:
        """Load a model, ready to run: the time this takes is its initialization.

        Raises:
            EdgeretrainError: the runtime cannot load it, or an input cannot be filled.
        """
        try:
            self._runner = Runner(model, threads=threads, runtime=runtime, delegates=xnnpack, banner=True)
        except EdgeretrainError as error:
            raise EdgeretrainError(str(error).removeprefix(f"{model}: ")) from None  # a result names its model
        self.invoke: Callable[[], None] = self._runner.invoke

    def prepare(self, model: Path) -> None:
        """Fill the inputs and find out about photos; apart from `__init__`, whose time counts."""
        self.delegate = self._delegate()
        self._fit, self._labels = _card_of(model)
        self.end_to_end_note = self._why_no_photos()
        self.takes_photos = self.end_to_end_note is None
        if self.takes_photos and self._fit is None:
            self.end_to_end_note = (
                "no edgeretrain card in the file: photos are squashed, and scaling them to the model's own range is "
                "not in the figure"
            )
        random = np.random.default_rng(0)
        for tensor in self._runner.inputs:
            self._runner.set(tensor, _random_values(tensor, random, raw_rgb=self._fit is not None))

    def _delegate(self) -> str | None:
        try:
            nodes = self._runner.interpreter._get_ops_details()
        except Exception:  # private, and not in every runtime
            return None
        return "XNNPACK" if any(node["op_name"] == "DELEGATE" for node in nodes) else "none"

    def _why_no_photos(self) -> str | None:
        inputs, outputs = self._runner.inputs, self._runner.outputs
        if len(inputs) != 1:
            return f"left out: the model has {len(inputs)} inputs, not one image"
        if not inputs[0].is_square_rgb or inputs[0].dtype not in _IMAGE_TYPES:
            return f"left out: the input is {inputs[0]}, not one square RGB image [1, S, S, 3]"
        if len(outputs) != 1:
            return f"left out: the model has {len(outputs)} outputs, not the scores of classes"
        return None

    def photo_runner(self, photos: Sequence[Path]) -> Callable[[], str]:
        """What is timed end to end: the bytes of the next photo -> its label (its index, where there are no labels).

        The bytes are in memory already. Decoding, resizing, conversion, copying in, inference, copying out and the
        choice of the largest score are inside.
        """
        contents = itertools.cycle([photo.read_bytes() for photo in photos])
        runner, image, scores = self._runner, self._runner.inputs[0], self._runner.outputs[0]
        size, dtype = image.shape[1], image.dtype
        fit: Fit = self._fit or "squash"
        labels = self._labels

        def run() -> str:
            pixels = load_pixels(next(contents), size, fit)
            if dtype == np.int8:
                pixels = (pixels ^ 128).view(np.int8)  # - 128
            runner.set(image, pixels.astype(dtype, copy=False)[None])
            runner.invoke()
            best = int(runner.stored(scores).argmax())
            return labels[best] if best < len(labels) else str(best)

        return run


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _card_of(model: Path) -> tuple[Fit | None, tuple[str, ...]]:
    """How a model of ours wants its photos, and its labels; (None, labels or ()) for others."""
    try:
        package = read_package(model)
    except EdgeretrainError:
        return None, ()
    return package.card.get("fit"), tuple(package.labels)


def _random_values(tensor: TensorInfo, random: np.random.Generator, *, raw_rgb: bool) -> npt.NDArray[Any]:
    """Floats 0..255 for models of ours (raw RGB), else -1..1; integers 0..99, of 8 bits their whole range."""
    shape, dtype = tensor.shape, tensor.dtype
    if dtype.kind == "f":
        return (random.uniform(0, 255, shape) if raw_rgb else random.uniform(-1, 1, shape)).astype(dtype)
    if dtype.kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = (limits.min, limits.max) if dtype.itemsize == 1 else (0, 99)
        return random.integers(low, high, shape, dtype, endpoint=True)
    kind = "strings" if dtype.kind in "SUO" else f"{dtype.name} values"
    raise EdgeretrainError(f"its input {tensor.name} takes {kind}, which cannot be made up")
