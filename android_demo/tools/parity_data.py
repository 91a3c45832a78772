"""What the JVM parity tests compare with: four trained models, 50 photos as raw pixels, and Python's answers.

    python android_demo/tools/parity_data.py FOLDER

Writes into FOLDER:

    run/model.<precision>.tflite     retrained on the surfaces of `edgeretrain demo`
    photos.tsv                       a line for each photo: name, width, height, EXIF orientation
    <name>.png                       of the first eight, one for each orientation: a photo file
    <name>.argb                      int32, big-endian, as Android's Bitmap.getPixels gives them, not yet upright
    <name>.<fit>.rgb                 uint8 [224, 224, 3]: load_pixels of the same photo
    <name>.<precision>.raw           the output tensor's bytes, from the interpreter
    <name>.<precision>.floats        float32, big-endian: Classifier.probabilities

The photos are fifty of flower_photos where EDGERETRAIN_PHOTOS holds it, else cuts from photographs that ship inside
scikit-image. JPEG decoders differ by a level here and there, so Java gets decoded pixels. Orientation and alpha are put
on: most photos lie about on disk upright and opaque.
"""

import importlib.util
import io
import os
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from edgeretrain import Classifier
from edgeretrain.data.pixels import FITS, load_pixels
from edgeretrain.demo import make_surfaces
from edgeretrain.options import Options
from edgeretrain.precision import PRECISIONS
from edgeretrain.quantization.calibration import PHOTOGRAPHS
from edgeretrain.training.retrain import retrain

COUNT = 50
EVERY_FIFTH = 5  # photo gets an alpha channel
ORIENTATION_TAG = 0x0112


def make(folder: Path) -> None:
    """Write all of it; an earlier run's models are made anew."""
    photos = make_surfaces(folder / "surfaces")
    run = folder / "run"
    options = Options(validation_percentage=20, testing_percentage=20)
    retrain(photos, run, precisions=PRECISIONS, options=options)
    answers = {precision: Answers(run / f"model.{precision}.tflite") for precision in PRECISIONS}
    lines = []
    for number, photo in enumerate(decoded_photos()):
        name, orientation = f"photo{number:02d}", number % 8 + 1
        if number % EVERY_FIFTH == 0:
            photo.putalpha(Image.linear_gradient("L").resize(photo.size))
        file = png(photo, orientation)
        rgba = np.asarray(photo.convert("RGBA")).astype(np.uint32)
        argb = rgba[..., 3] << 24 | rgba[..., 0] << 16 | rgba[..., 1] << 8 | rgba[..., 2]
        if number < 8:
            (folder / f"{name}.png").write_bytes(file)
        (folder / f"{name}.argb").write_bytes(argb.astype(">u4").tobytes())
        for fit in FITS:
            (folder / f"{name}.{fit}.rgb").write_bytes(load_pixels(file, 224, fit).tobytes())
        for precision, answer in answers.items():
            raw, probabilities = answer.of(file)
            (folder / f"{name}.{precision}.raw").write_bytes(raw)
            (folder / f"{name}.{precision}.floats").write_bytes(probabilities.astype(">f4").tobytes())
        lines.append(f"{name}\t{photo.width}\t{photo.height}\t{orientation}\n")
    (folder / "photos.tsv").write_text("".join(lines), encoding="utf-8")


class Answers:
    """What Python says about a photo, twice: the bare interpreter's bytes and edgeretrain's probabilities."""

    def __init__(self, model: Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.classifier = Classifier(model)
        self.interpreter = Interpreter(os.fspath(model), num_threads=1)
        self.interpreter.allocate_tensors()

    def of(self, file: bytes) -> tuple[bytes, np.ndarray]:
        """The output tensor's bytes, and float32 probabilities."""
        (given,), (taken,) = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        pixels = load_pixels(file, self.classifier.size, self.classifier.fit)
        self.interpreter.set_tensor(given["index"], pixels.astype(given["dtype"])[None])
        self.interpreter.invoke()
        return self.interpreter.get_tensor(taken["index"]).tobytes(), self.classifier.probabilities(file)


def decoded_photos() -> list[Image.Image]:
    """Fifty photos, RGB, as they are stored."""
    flowers = Path(os.environ.get("EDGERETRAIN_PHOTOS", "")) / "flower_photos"
    classes = sorted(path for path in flowers.glob("*") if path.is_dir()) if flowers.name else []
    if len(classes) == 5:
        chosen = []
        for one in classes:
            files = sorted(one.glob("*.jpg"))
            chosen += files[:: len(files) // 10][:10]
        return [opened(path) for path in chosen]
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('The photos are cut from photographs of scikit-image: pip install -e ".[dev]"')
    data = Path(spec.submodule_search_locations[0]) / "data"
    photographs = [opened(data / name) for name in PHOTOGRAPHS]
    rng = random.Random(0)
    cuts = []
    for number in range(COUNT):
        photograph = photographs[number % len(photographs)]
        width, height = (rng.randint(30, length) for length in photograph.size)
        left, top = rng.randint(0, photograph.width - width), rng.randint(0, photograph.height - height)
        cuts.append(photograph.crop((left, top, left + width, top + height)))
    return cuts


def opened(path: Path) -> Image.Image:
    with Image.open(path) as photo:
        return photo.convert("RGB")


def png(photo: Image.Image, orientation: int) -> bytes:
    """A photo file that decodes to just these pixels."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    file = io.BytesIO()
    photo.save(file, "PNG", exif=exif, compress_level=1, icc_profile=None)
    return file.getvalue()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
