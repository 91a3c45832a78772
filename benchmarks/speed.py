"""How fast a retrain is against the usual Keras pipeline, and against what its parts cost alone.

    EDGERETRAIN_PHOTOS=... python benchmarks/speed.py

Needs TensorFlow for the first part (`--no-keras` leaves it out). Whole processes, one after the other, same photos,
same preset (MobileNet V2 1.0/224), same cores; results belong to one run on one machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from edgeretrain.backbone import find_backbone
from edgeretrain.data.photos import Photo, find_photos, list_photos
from edgeretrain.features.extract import Column, Extractor
from edgeretrain.precision import Precision
from edgeretrain.tflite.runtime import Network
from edgeretrain.threads import available_cores

PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
ROUNDS = 5


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Wall seconds of a whole process, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return seconds, done.stdout


def against_keras(photos: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        script = str(Path(__file__).with_name("keras_pipeline.py"))
        keras, told = timed([sys.executable, script, str(photos), f"{folder}/keras", *PRECISIONS], {})
        usual = json.loads(told.splitlines()[-1])
        command = [sys.executable, "-m", "edgeretrain", "retrain", str(photos), "--out", f"{folder}/run", "--quiet"]
        for precision in PRECISIONS:
            command += ["--precision", precision]
        cold, _ = timed(command, {"EDGERETRAIN_CACHE": f"{folder}/cache"})
        warm, _ = timed(command, {"EDGERETRAIN_CACHE": f"{folder}/cache"})
        start = time.perf_counter()
        column = Column(find_backbone("mobilenet_v2_100_224", "float32"))
        Extractor("squash", Path(folder) / "cache2").extract(list_photos(photos).files, [column])
        seconds = time.perf_counter() - start
    count = usual["photos"]
    rows = [
        ("bottlenecks, photos/s", count / usual["bottleneck_seconds"], count / seconds, "4"),
        ("cold retrain float32 + int8, s", keras, cold, "5"),
        ("warm retrain float32 + int8, s", keras, warm, "20"),
    ]
    print(f"| what ({count} photos) | Keras | edgeretrain | ratio | asked |\n|---|---|---|---|---|")
    for what, usual_way, ours, asked in rows:
        ratio = ours / usual_way if "/s" in what else usual_way / ours
        print(f"| {what} | {usual_way:.1f} | {ours:.1f} | {ratio:.1f} | {asked} |")


def decode(photo: Photo) -> object:
    with Image.open(photo.path) as opened:
        return opened.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)


def core_seconds(work: Callable[[Photo], object], photos: list[Photo]) -> float:
    """CPU seconds per photo of this work on all cores."""
    start = time.process_time()
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(work, photos))
    return (time.process_time() - start) / len(photos)


def against_parts(folder: Path) -> None:
    """Core-seconds per photo: the whole bottleneck phase against decode + resize alone plus invoke alone."""
    photos = list(find_photos(folder).photos)
    print("\n| precision | decode + resize, ms | invoke, ms | bottleneck phase, ms | ratio | asked |")
    print("|---|---|---|---|---|---|")
    for precision in PRECISIONS:
        backbone = find_backbone("mobilenet_v2_100_224", precision)
        own = threading.local()

        def invoke(photo: Photo, own: threading.local = own, path: Path = backbone.path) -> object:
            if not hasattr(own, "interpreter"):
                own.interpreter = Network(path).runner.interpreter
            return own.interpreter.invoke()

        rounds = []
        for _ in range(ROUNDS):
            alone = core_seconds(decode, photos)
            inference = core_seconds(invoke, photos)
            with tempfile.TemporaryDirectory() as cache:
                start = time.process_time()
                Extractor("squash", Path(cache)).extract(photos, [Column(backbone)])
                whole = (time.process_time() - start) / len(photos)
            rounds.append((alone, inference, whole))
        alone, inference, whole = np.median(np.array(rounds), axis=0) * 1e3
        ratio = float(np.median([w / (a + i) for a, i, w in rounds]))
        print(f"| {precision} | {alone:.2f} | {inference:.2f} | {whole:.2f} | {ratio:.3f} | 1.15 |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="default: $EDGERETRAIN_PHOTOS/flower_photos")
    parser.add_argument("--no-keras", action="store_true")
    arguments = parser.parse_args()
    if arguments.photos is None and "EDGERETRAIN_PHOTOS" not in os.environ:
        sys.exit("Give --photos FOLDER or set EDGERETRAIN_PHOTOS.")
    photos = arguments.photos or Path(os.environ["EDGERETRAIN_PHOTOS"]) / "flower_photos"
    if not arguments.no_keras:
        against_keras(photos)
    against_parts(photos)


if __name__ == "__main__":
    main()
