"""Peak memory of a retrain without TensorFlow, and how it grows with the number of photos.

    python benchmarks/memory.py --counts 1000 5000 20000

Makes that many small JPEG photos of five classes in a temporary folder and retrains on them (MobileNet V2 1.0/224,
float32 and int8) in a process of its own; the figure is the kernel's maximum resident set size of that process.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {
    "red": (200, 40, 40),
    "green": (40, 180, 60),
    "blue": (40, 60, 200),
    "gray": (128, 128, 128),
    "sand": (200, 180, 120),
}


def make_photos(folder: Path, count: int) -> None:
    """Noisy colour patches, 64 x 48, every one different."""
    random = np.random.default_rng(0)
    for index in range(count):
        label, colour = list(COLOURS.items())[index % len(COLOURS)]
        pixels = np.clip(random.normal(colour, 60, (48, 64, 3)), 0, 255).astype(np.uint8)
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / label / f"{index:06d}.jpg")


def peak_megabytes(photos: Path, folder: Path) -> float:
    """Maximum resident set size of a retrain, MB (10^6 bytes)."""
    command = [sys.executable, "-m", "edgeretrain", "retrain", str(photos), "--out", str(folder / "run"), "--quiet"]
    environment = {**os.environ, "EDGERETRAIN_CACHE": str(folder / "cache")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    return usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 5000, 20000])
    peaks = {}
    for count in parser.parse_args().counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_photos(folder / "photos", count)
            peaks[count] = peak_megabytes(folder / "photos", folder)
        print(f"{count} photos: peak {peaks[count]:.0f} MB", flush=True)
    first, last = min(peaks), max(peaks)
    if last > first:
        print(f"growth: {(peaks[last] - peaks[first]) * 1e3 / (last - first):.1f} kB a photo")


if __name__ == "__main__":
    main()
