"""What the colour profile of a photo costs, in processor time: python benchmarks/colour_profile.py

JPEGs of 12 megapixels without a profile, with sRGB's, with those of Display P3 and of Adobe RGB.
"""

import io
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, ImageCms

from edgeretrain.data.pixels import load_pixels

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "pixels"
ROUNDS = 15


def main() -> None:
    """Print a row for each profile."""
    random = np.random.default_rng(0)
    small = Image.fromarray(random.integers(0, 256, (48, 64, 3)).astype(np.uint8))
    photo = small.resize((4032, 3024), Image.Resampling.BICUBIC)
    profiles = {
        "none": None,
        "sRGB": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "Display P3": Image.open(GOLDEN / "display-p3.jpg").info["icc_profile"],
        "Adobe RGB": Image.open(GOLDEN / "adobe-rgb.jpg").info["icc_profile"],
    }
    files = {}
    for name, profile in profiles.items():
        stream = io.BytesIO()
        photo.save(stream, "JPEG", quality=90, icc_profile=profile)
        files[name] = stream.getvalue()
    print("| profile | 96 pixels | 224 pixels |\n| --- | --- | --- |")
    seconds: dict[tuple[str, int], list[float]] = {(name, size): [] for name in files for size in (96, 224)}
    for _ in range(ROUNDS + 1):  # in turns, as other work on the machine comes and goes
        for (name, size), times in seconds.items():
            began = time.process_time()
            load_pixels(files[name], size)
            times.append(time.process_time() - began)
    for name in files:
        cells = [f"{1000 * median(seconds[name, size][1:]):.1f} ms" for size in (96, 224)]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
