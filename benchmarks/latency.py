"""Whether the benchmark's figures are right: against LiteRT's own benchmark, and what measuring itself costs.

    python benchmarks/latency.py

The first table measures each model with `edgeretrain benchmark` and with `benchmark_litert_model` out of the
ai-edge-litert package, in turns, each time in new processes; the ratio is the median over the rounds. The second runs
one interpreter in one process, in turns in a bare loop and in the benchmark's measuring loop.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from edgeretrain.backbone import find_backbone
from edgeretrain.benchmark import benchmark
from edgeretrain.benchmark.clock import measure, no_garbage_collection
from edgeretrain.records.benchmark import RUNS, SECONDS
from edgeretrain.tflite.quiet import suppress_banner
from edgeretrain.tflite.runtime import load_runtime

MODELS = (
    ("mobilenet_v2_100_224", "float32"),
    ("mobilenet_v2_100_224", "int8"),
    ("mobilenet_v2_100_224", "dynamic"),
    ("mobilenet_v1_100_224", "float32"),
)
ROUNDS = 7
TURNS, RUNS_A_TURN = 301, 10


def ours(model: Path, threads: int = 1) -> float:
    """Median of the inference, ms."""
    (result,) = benchmark([model], threads=[threads], runs=RUNS, seconds=SECONDS, end_to_end=False).measured
    return result.inference_ms.median


def theirs(model: Path, threads: int = 1, runs: int = RUNS) -> float:
    """Median of the inference, ms, rounded to 0.01 by the tool."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model", f"--model={model}"]
        command += [f"--num_threads={threads}", f"--num_runs={runs}", f"--result_json={folder}/result.json"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return float(json.loads((Path(folder) / "result.json").read_text())["latency"]["median_ms"])


def against_litert(model: Path, rounds: int = ROUNDS, threads: int = 1) -> list[tuple[float, float]]:
    """(ours, theirs) of each round, ms; who begins changes."""
    told = []
    for number in range(rounds):
        if number % 2:
            other = theirs(model, threads)
            told.append((ours(model, threads), other))
        else:
            mine = ours(model, threads)
            told.append((mine, theirs(model, threads)))
    return told


def overhead(work: Callable[[], object]) -> tuple[float, float]:
    """Mean time of `work` in a bare loop, ms, and how many times that the benchmark's loop measures.

    The ratio is the median over TURNS pairs.
    """
    bare, ratios = [], []
    with no_garbage_collection():
        for turn in range(TURNS):
            pair = [0.0, 0.0]
            for which in (0, 1) if turn % 2 else (1, 0):
                if which:
                    pair[1] = statistics.fmean(measure(work, runs=RUNS_A_TURN, seconds=0))
                else:
                    begun = time.perf_counter_ns()
                    for _ in range(RUNS_A_TURN):
                        work()
                    pair[0] = (time.perf_counter_ns() - begun) / RUNS_A_TURN
            bare.append(pair[0] / 1e6)
            ratios.append(pair[1] / pair[0])
    return statistics.median(bare), statistics.median(ratios)


def one_millisecond_model(folder: Path) -> Path:
    """One FULLY_CONNECTED layer of 4 million weights: about a millisecond."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from benchmark.tiny_models import classifier  # type: ignore[import-not-found]

    made: Path = classifier(folder / "one.tflite", shape=(1, 128, 128, 3), classes=80)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("models", type=Path, nargs="*", help="default: four of the bundled backbones")
    arguments = parser.parse_args()
    models = arguments.models or [find_backbone(preset, precision).path for preset, precision in MODELS]  # type: ignore[arg-type]
    print("| model | edgeretrain, ms | benchmark_litert_model, ms | ratio | lowest to highest | asked |")
    print("|---|---|---|---|---|---|")
    for model in models:
        rounds = against_litert(model, arguments.rounds, arguments.threads)
        ratios = [mine / other for mine, other in rounds]
        mine, other = (statistics.median(column) for column in zip(*rounds, strict=True))
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(f"| {model.stem} | {mine:.2f} | {other:.2f} | {statistics.median(ratios):.3f} | {spread} | 0.9 to 1.1 |")
    print("\n| what is timed | bare loop, ms | measured / bare | asked |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        with suppress_banner("ai_edge_litert"):
            interpreter = load_runtime().interpreter(model_path=str(one_millisecond_model(Path(folder))), num_threads=1)
            interpreter.allocate_tensors()
        milliseconds, ratio = overhead(interpreter.invoke)
        print(f"| a model of one layer | {milliseconds:.3f} | {ratio:.4f} | below 1.02 |")
    milliseconds, ratio = overhead(lambda: None)
    print(f"| nothing | {milliseconds:.6f} | {ratio:.2f} | |")


if __name__ == "__main__":
    main()
