"""What decoding large JPEGs at a scale saves, and what it changes. Prints the table of docs/pixels.md.

    python benchmarks/scaled_decode.py [--photos FOLDER] [--repeat 7]

Without --photos: photographs of scikit-image, enlarged to 4032 x 3024 and, so that no side is a multiple of 8, to
4025 x 3019, with the grain of a sensor, JPEG quality 92. With it, every JPEG below the folder.

Processor time of one thread, the smallest of the repetitions, the two ways in turn; differences in units of 255.
"""

import argparse
import importlib.util
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgeretrain.data.jpeg_scale import scale_denominator
from edgeretrain.data.pixels import load_pixels

SIZES = (96, 160, 224, 331)
PHOTOGRAPHS = ("coffee.png", "chelsea.png", "rocket.jpg")
SIDES = ((4032, 3024), (4025, 3019))

Pixels = npt.NDArray[np.uint8]


def made_photos() -> Iterator[tuple[str, bytes]]:
    """Name and content of photos as a phone takes them."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit('The photos are made from photographs of scikit-image: pip install -e ".[demo]"')
    for name in PHOTOGRAPHS:
        for width, height in SIDES:
            with Image.open(Path(spec.submodule_search_locations[0]) / "data" / name) as photograph:
                large = photograph.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
            grain = np.random.default_rng(0).normal(0, 6, (height, width, 3))
            photo = (np.asarray(large) + grain).round().clip(0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(photo).save(file, "JPEG", quality=92)
            yield f"{name} {width} x {height}", file.getvalue()


def whole(content: bytes, size: int) -> Pixels:
    """The pixels as they were before JPEGs were decoded at a scale."""
    with Image.open(io.BytesIO(content)) as image:
        return load_pixels(image, size)


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    if options.photos:
        photos = ((path.name, path.read_bytes()) for path in sorted(options.photos.rglob("*.jp*g")))
    else:
        photos = made_photos()
    print("| photo | size | scale | whole | at the scale | mean difference | 99.9 % | largest |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, content in photos:
        for size in SIZES:
            with Image.open(io.BytesIO(content)) as image:
                s = scale_denominator(image.width, image.height, size)
            times = [
                (seconds(lambda: whole(content, size)), seconds(lambda: load_pixels(content, size)))  # noqa: B023
                for _ in range(options.repeat)
            ]
            before, now = (1000 * min(column) for column in zip(*times, strict=True))
            difference = abs(load_pixels(content, size).astype(int) - whole(content, size))
            print(
                f"| {name} | {size} | 1/{s} | {before:.0f} ms | {now:.0f} ms "
                f"| {difference.mean():.2f} | {np.quantile(difference, 0.999):.0f} | {difference.max()} |"
            )


if __name__ == "__main__":
    main()
