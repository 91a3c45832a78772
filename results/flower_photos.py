"""The table of every preset whose real weights are at hand, on flower_photos; writes everything else in this folder.

    EDGERETRAIN_WEIGHTS=... EDGERETRAIN_PHOTOS=... python results/flower_photos.py

Needs the `tensorflow` extra. Run it on a machine that does nothing else; `--folder` keeps the sweep, so
that a run that was stopped goes on.
"""

import argparse
import csv
import datetime
import json
import os
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from edgeretrain.backbone import status
from edgeretrain.backbone.presets import PRESETS
from edgeretrain.cli.console import progress_shown
from edgeretrain.paths import cache_folder
from edgeretrain.sweep import sweep

HERE = Path(__file__).parent
PUBLISHED_ON = ("Pixel 1", "Pixel 3", "Raspberry Pi 4 (64-bit)")


def presets_at_hand() -> list[str]:
    """The presets that can be had without a download."""
    return [name for name in PRESETS if set(status(name).values()) <= {"bundled", "cached", "buildable"}]


def published() -> dict[tuple[str, str, str], str]:
    """Milliseconds by preset, precision and device."""
    with (HERE / "published_latencies.csv").open(encoding="utf-8", newline="") as file:
        return {(row["preset"], row["precision"], row["device"]): row["ms"] for row in csv.DictReader(file)}


def table(result: dict[str, Any]) -> str:
    """One line for each model; a point on a Pareto front is bold in that column."""
    elsewhere = published()
    heads = ("preset", "precision", "bytes", "MACs M", "top-1 %", "95 % interval", "ms", "p90 ms", "peak MB")
    lines = [
        f"| {' | '.join(heads)} | {' | '.join(f'{device} ms' for device in PUBLISHED_ON)} |",
        f"|{'---|' * 2}{'---:|' * (len(heads) - 2 + len(PUBLISHED_ON))}",
    ]
    for one in result["candidates"]:
        low, high = one["interval"]
        latency = one["latency"]
        cells = [
            f"`{one['preset']}`",
            one["precision"],
            bold(f"{one['bytes']:,}", one["front"]["size"]),
            f"{one['macs'] / 1e6:.0f}",
            f"{100 * one['top1']:.1f}",
            f"{100 * low:.0f} to {100 * high:.0f}",
            bold(f"{one['latency_ms']:.2f}", one["front"]["latency"]),
            f"{latency['inference_ms']['p90']:.2f}",
            f"{latency['peak_memory_bytes'] / 1e6:.0f}",
            *(elsewhere.get((one["preset"], one["precision"], device), "") for device in PUBLISHED_ON),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def bold(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted else text


def page(result: dict[str, Any], command: str) -> str:
    """results/README.md."""
    environment = result["latency"]["environment"]
    photos = result["photos"]
    warnings = " ".join(result["latency"]["warnings"]) or "none."
    paragraphs = [
        f"{photos['training']} photos to train on, {photos['validation']} for validation, {photos['testing']} held "
        f"out: top-1 is that of the very file on those {photos['testing']}. So few photos cannot tell two models apart "
        "that differ by a few points: mind the interval, and see [benchmarks/int8.md](../benchmarks/int8.md) for "
        "k-fold figures with small errors.",
        f"Without a budget the sweep picks `{result['pick']['preset']}` {result['pick']['precision']}: "
        f"{result['pick']['reason']}",
        f"Measured on {environment['cpu'] or environment['machine']}, {environment['cores']} cores, 1 thread, "
        f"{result['runtime']}, {environment['os']}, by the protocol of [docs/measuring.md](../docs/measuring.md); ms "
        "is the median of the bare inference, peak MB the memory that the model adds to its process. Warnings of the "
        f"measurement: {warnings}",
        "Bold: on the Pareto front of accuracy against size, or against latency. The last "
        f"{len(PUBLISHED_ON)} columns are **published** figures, not ours, of other devices with the 1001-class "
        "networks: Pixel 1, Pixel 3 with 4 threads (its int8 models trained with quantization), Raspberry Pi 4 with "
        "all cores and random weights; sources in [published_latencies.csv](published_latencies.csv).",
    ]
    text = "\n\n".join(textwrap.fill(one, 120, break_long_words=False, break_on_hyphens=False) for one in paragraphs)
    return f"""# Results on flower_photos

Written by `results/flower_photos.py` on {datetime.date.today().isoformat()}. What it ran:

```
{command}
```

{text}

![Accuracy against size and latency](pareto.svg)

{table(result)}

All figures, percentiles and the other measures: [flower_photos.json](flower_photos.json).
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the sweep is kept; default a temporary folder")
    folder = parser.parse_args().folder
    photos = os.environ.get("EDGERETRAIN_PHOTOS")
    if not photos:
        sys.exit("Set EDGERETRAIN_PHOTOS to the folder that holds flower_photos.")
    names = presets_at_hand()
    print(f"{len(names)} presets at hand; backbones and bottlenecks are cached in {cache_folder()}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as scratch, progress_shown(quiet=False) as progress:
        out = folder or Path(scratch) / "sweep"
        result = sweep(Path(photos) / "flower_photos", out, presets=names, progress=progress)
        shutil.copyfile(out / "pareto.svg", HERE / "pareto.svg")
    command = f"edgeretrain sweep $EDGERETRAIN_PHOTOS/flower_photos --presets {','.join(names)}"
    (HERE / "README.md").write_text(page(result, command), encoding="utf-8", newline="\n")
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (HERE / "flower_photos.json").write_text(text + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
