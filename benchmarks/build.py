"""What building all four precisions costs beside building float32 alone: the table in build.md.

    python benchmarks/build.py [PRESET ...] [--rounds 3]

Needs the `tensorflow` extra. Random weights: the work is the same. Every build has a process of its own, float32 alone
and all four by turns. The clocks start when TensorFlow and the runtime are imported.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from folds import machine, table

from edgeretrain.backbone.build import build_backbones
from edgeretrain.precision import PRECISIONS, Precision

DEFAULT = ("nasnet_mobile", "mobilenet_v2_100_224")
LIMITED, ALLOWED = "nasnet_mobile", 1.5  # times the float32 build; refining int8 makes it more for MobileNet


@dataclass(frozen=True)
class Times:
    """Seconds: by the clock, and of the processor in all threads."""

    wall: float
    cpu: float


def measured(preset: str, precisions: Sequence[Precision]) -> Times:
    """Build the backbones of a preset in this process."""
    for module in ("tensorflow", "ai_edge_litert.interpreter"):
        importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        build_backbones(preset, precisions, weights="random", calibration=None, out=Path(folder))
        return Times(time.perf_counter() - wall, time.process_time() - cpu)


def in_a_process_of_its_own(preset: str, precisions: Sequence[Precision]) -> Times:
    command = [sys.executable, __file__, preset, "--once", ",".join(precisions)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return Times(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of building all precisions beside float32 alone.")
    parser.add_argument("presets", nargs="*", default=DEFAULT)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", metavar="PRECISIONS", help="build these in this process; print the times as JSON")
    options = parser.parse_args()
    if options.once:
        chosen: list[Precision] = [one for one in PRECISIONS if one in options.once.split(",")]
        print(json.dumps(asdict(measured(options.presets[0], chosen))))
        return
    print(f"{machine()}; load {os.getloadavg()[0]:.1f}; least of {options.rounds} rounds\n", flush=True)
    rows, verdicts = [], []
    for preset in options.presets:
        one, all_four = _least(preset, options.rounds)
        ratios = [all_four.wall / one.wall, all_four.cpu / one.cpu]
        figures = [one.wall, all_four.wall, ratios[0], one.cpu, all_four.cpu, ratios[1]]
        rows.append([preset, *(f"{figure:.2f}" if figure in ratios else f"{figure:.1f}" for figure in figures)])
        if preset == LIMITED:
            kept = "within" if max(ratios) <= ALLOWED else "NOT within"
            verdicts.append(f"{preset}: {max(ratios):.2f} times the float32 build, {kept} the {ALLOWED} allowed.")
    header = ["preset", "float32, s", "all four, s", "ratio", "float32, CPU s", "all four, CPU s", "ratio of CPU s"]
    print(table(header, rows))
    print("\n" + "\n".join(verdicts))


def _least(preset: str, rounds: int) -> tuple[Times, Times]:
    """Of float32 alone, and of all four."""
    runs = [[in_a_process_of_its_own(preset, which) for which in (("float32",), PRECISIONS)] for _ in range(rounds)]
    one, all_four = (
        Times(min(times.wall for times in column), min(times.cpu for times in column))
        for column in zip(*runs, strict=True)
    )
    return one, all_four


if __name__ == "__main__":
    main()
