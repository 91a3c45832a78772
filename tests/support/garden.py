"""Photos that the tests make up, and what is made of them."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

TEXTURES = ("checks", "dots", "stripes")
HEIGHT, WIDTH = 48, 64


@dataclass(frozen=True)
class Run:
    """A retrain that was done: its photos, its run folder, what it returned."""

    photos: Path
    out: Path
    report: dict[str, Any]

    def model(self, precision: str) -> Path:
        return self.out / f"model.{precision}.tflite"


@dataclass(frozen=True)
class Pair:
    """A run on `checks` and `stripes` whose photos are gone, and the photos of `dots`."""

    run: Path
    report: dict[str, Any]
    dots: Path


def jpeg(seed: int, image_format: str = "JPEG") -> bytes:
    """A tiny photo of noise, another one for each seed."""
    return encoded(np.random.default_rng(seed).integers(0, 256, (6, 7, 3)).astype(np.uint8), image_format)


def encoded(pixels: npt.NDArray[np.uint8], image_format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, image_format)
    return buffer.getvalue()


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def texture(label: str, number: int) -> npt.NDArray[np.uint8]:
    """A photo of one of TEXTURES: two colours, any period and place, noise. uint8 `[HEIGHT, WIDTH, 3]`."""
    random = np.random.default_rng([TEXTURES.index(label), number])
    y, x = np.mgrid[:HEIGHT, :WIDTH] + random.integers(0, 12, (2, 1, 1))
    period = random.integers(4, 12)
    if label == "checks":
        marked = (x // period + y // period) % 2 == 0
    elif label == "dots":
        marked = (x % period - period / 2) ** 2 + (y % period - period / 2) ** 2 < (period / 3) ** 2
    else:
        marked = x // period % 2 == 0
    one, other = random.integers(0, 256, (2, 3))
    pixels = np.where(marked[..., None], one, other) + random.normal(0, 25, (HEIGHT, WIDTH, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def write_textures(folder: Path, per_class: int = 24) -> Path:
    """A photos folder with a class for each texture, JPEG and PNG in turns."""
    for label in TEXTURES:
        for number in range(per_class):
            kind = ("PNG", "JPEG")[number % 2]
            put(folder / label / f"{label[0]}{number:02d}.{kind.lower()}", encoded(texture(label, number), kind))
    return folder


def interpreted(model: bytes, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The first output that LiteRT gives for the first input of a `.tflite` file, whatever its shape."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], values)
    interpreter.invoke()
    return np.asarray(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
