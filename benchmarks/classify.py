"""How fast `classify` is: against a bare loop over the same photos, and from process start against label_image.

    EDGERETRAIN_PHOTOS=... python benchmarks/classify.py --tensorflow PYTHON

PYTHON is the interpreter of an environment with TensorFlow and Pillow (`--tensorflow` left out: without that row). The
two sides of a ratio run in turns (shuffled), in one run on the same machine; each figure is the median of the rounds.
"""

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from edgeretrain import Classifier, retrain
from edgeretrain.tflite.runtime import Network
from edgeretrain.threads import available_cores

PHOTOS = 300
ROUNDS = 5
STEADY_ASKED, START_ASKED, LABEL_IMAGE_ASKED = 1.15, 0.6, 1 / 5


def bare_loop(model: Path, photos: Sequence[Path]) -> list[str]:
    """Decode, resize, invoke; nothing else, one after the other."""
    network = Network(model)
    interpreter, size = network.runner.interpreter, network.size
    details, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    top = []
    for photo in photos:
        with Image.open(photo) as opened:
            pixels = np.asarray(opened.convert("RGB").resize((size, size), Image.Resampling.BILINEAR))
        interpreter.set_tensor(details["index"], pixels.astype(details["dtype"], copy=False)[None])
        interpreter.invoke()
        top.append(int(interpreter.get_tensor(output["index"])[0].argmax()))
    return [str(index) for index in top]


def one_by_one(model: Path, photos: Sequence[Path]) -> list[str]:
    """`classifier(photo)` for each: no overlap."""
    with Classifier(model) as classifier:
        return [classifier(photo, top_k=3)[0].label for photo in photos]


def batch(model: Path, photos: Sequence[Path]) -> list[str]:
    """What `edgeretrain classify` does with more than one photo."""
    with Classifier(model) as classifier:
        return [found[0].label for _, found in classifier.batch(photos, top_k=3) if isinstance(found, list)]


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processor on all cores together."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - processor


def steady(model: Path, photos: Sequence[Path], rounds: int = ROUNDS) -> dict[str, tuple[float, float, float]]:
    """By name: seconds for all photos, and the ratios of seconds and of processor seconds to the bare loop of the same
    round; medians."""
    ways = {"bare loop": bare_loop, "one by one": one_by_one, "batch": batch}
    for way in ways.values():
        assert len(way(model, photos[:20])) == 20  # warm
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    order = list(ways)
    for number in range(rounds):
        random.Random(number).shuffle(order)  # what else the machine does should meet none of them more often
        for name in order:
            times[name].append(seconds(lambda way=ways[name]: way(model, photos)))  # type: ignore[misc]
    bare = np.array(times["bare loop"])
    found = {}
    for name, own in times.items():
        by_clock, by_processor = np.median(np.array(own) / bare, axis=0)
        found[name] = (float(np.median(np.array(own)[:, 0])), float(by_clock), float(by_processor))
    return found


def process(command: list[str], environment: dict[str, str]) -> float:
    """Seconds from the start of a process to its end; it must print a label."""
    start = time.perf_counter()
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)
    taken = time.perf_counter() - start
    if done.returncode or not done.stdout:
        sys.exit(f"{' '.join(command)} failed: {done.stderr}")
    return taken


def starts(model: Path, labels: Path, photo: Path, tensorflow: str | None, rounds: int = ROUNDS) -> dict[str, float]:
    """Seconds from process start to the first label, medians, after one warm round."""
    script = str(Path(__file__).with_name("label_image.py"))
    commands = {"edgeretrain classify": [sys.executable, "-m", "edgeretrain", "classify", str(model), str(photo)]}
    if tensorflow:
        commands["label_image (TensorFlow)"] = [tensorflow, script, str(model), str(labels), str(photo)]
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            taken = process(command, {"TF_CPP_MIN_LOG_LEVEL": "3"})
            if number:
                times[name].append(taken)
    return {name: statistics.median(own) for name, own in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="default: $EDGERETRAIN_PHOTOS/flower_photos")
    parser.add_argument("--run", type=Path, help="a run folder with float32 and int8; default: retrain on the photos")
    parser.add_argument("--tensorflow", help="Python of an environment with TensorFlow and Pillow")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    if arguments.photos is None and "EDGERETRAIN_PHOTOS" not in os.environ:
        sys.exit("Give --photos FOLDER or set EDGERETRAIN_PHOTOS.")
    folder = arguments.photos or Path(os.environ["EDGERETRAIN_PHOTOS"]) / "flower_photos"
    with tempfile.TemporaryDirectory() as scratch:
        run = arguments.run or Path(scratch) / "run"
        if arguments.run is None:
            retrain(folder, run, precisions=["float32", "int8"])
        every = sorted(folder.glob("*/*.jpg"))
        photos = every[:: max(1, len(every) // PHOTOS)][:PHOTOS]
        print(f"{available_cores()} cores, {len(photos)} photos, {arguments.rounds} rounds\n")
        print("| precision | way | s | ratio to the bare loop | asked | ratio of processor seconds |")
        print("|---|---|---|---|---|---|")
        for precision in ("float32", "int8"):
            for name, (taken, ratio, processor) in steady(
                run / f"model.{precision}.tflite", photos, arguments.rounds
            ).items():
                asked = f"{STEADY_ASKED}" if name == "batch" else ""
                print(f"| {precision} | {name} | {taken:.2f} | {ratio:.2f} | {asked} | {processor:.2f} |")
        print("\n| process start to first label, int8 | s | asked |\n|---|---|---|")
        found = starts(run / "model.int8.tflite", run / "labels.txt", photos[0], arguments.tensorflow, arguments.rounds)
        for name, taken in found.items():
            print(f"| {name} | {taken:.2f} | {START_ASKED if 'edgeretrain' in name else ''} |")
        if len(found) == 2:
            ours, theirs = found.values()
            print(f"| ratio | {ours / theirs:.3f} | {LABEL_IMAGE_ASKED:.3f} |")


if __name__ == "__main__":
    main()
