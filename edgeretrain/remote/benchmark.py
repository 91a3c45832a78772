"""What `benchmark_on` does: send models to a device, have them measured there, bring the figures back."""

import hashlib
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress, silent
from edgeretrain.records.benchmark import RUNS, SECONDS, Benchmark
from edgeretrain.remote.address import parse_address
from edgeretrain.remote.connection import Connection
from edgeretrain.remote.session import RemoteSession, SentModel
from edgeretrain.tflite.runtime import check_is_tflite


def benchmark_on(
    device: str,
    models: Sequence[Path],
    *,
    threads: Sequence[int] = (1,),
    runs: int = RUNS,
    seconds: float = SECONDS,
    runtime: str | None = None,
    xnnpack: bool = True,
    end_to_end: bool = True,
    command: str | None = None,
    progress: Progress = silent,
) -> Benchmark:
    """Run `edgeretrain benchmark` on a device that ssh reaches.

    The system's own ssh is used with the user's config, keys and agent; EDGERETRAIN_SSH_COMMAND replaces it, as in
    `ssh -F other_config`. With a terminal on standard input ssh asks what it has to (a password, an unknown host
    key); without one it never asks, it fails. One connection serves everything. The models lie in a private temporary
    folder of the device, which is removed at the end, also after a failure, Ctrl-C or a broken connection. A device
    that disappears is noticed within 20 seconds; then nothing of the run is kept.

    The device needs an SSH server, Linux or macOS, python3 and edgeretrain, not older than here. It is looked for on
    the PATH, as ~/.local/bin/edgeretrain, in the virtual environments directly below the home folder, such as
    ~/edgeretrain/bin, and as `python3 -m edgeretrain`; the first that answers is taken.

    Args:
        device: `ssh://[user@]host[:port]`.
        threads, runs, seconds, runtime, xnnpack, end_to_end: as in `edgeretrain.benchmark.benchmark`.
        command: the command that starts edgeretrain on the device; default: EDGERETRAIN_DEVICE_COMMAND, or looked for.

    Returns:
        What `edgeretrain.benchmark.benchmark` returns: `model` is the caller's path, `environment` the device's.

    Raises:
        EdgeretrainError: a model cannot be read, the device cannot be used or disappears; says what to do.
    """
    address = parse_address(device)
    if not models:
        raise EdgeretrainError("There is no model to measure. Give at least one .tflite file.")
    sent = [_read_model(number, path) for number, path in enumerate(models)]
    arguments = ["benchmark", *(model.name for model in sent), "--json", "--threads", ",".join(map(str, threads))]
    arguments += ["--runs", str(runs), "--seconds", str(seconds), *(("--runtime", runtime) if runtime else ())]
    arguments += [*(() if xnnpack else ("--no-xnnpack",)), *(() if end_to_end else ("--no-end-to-end",))]
    with Connection(address) as connection:
        session = RemoteSession(address, connection, sent)
        connection.send_task(
            {
                "command": _device_command(command),
                "arguments": arguments,
                "models": [{"name": model.name, "bytes": model.bytes, "sha256": model.sha256} for model in sent],
            }
        )
        ended = session.run(progress)
    return session.result(ended)


def _read_model(number: int, path: Path) -> SentModel:
    check_is_tflite(path)
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise EdgeretrainError(f"{path}: cannot be read ({error.strerror}). Give a .tflite file.") from None
    return SentModel(path, f"model-{number:04d}.tflite", size, digest.hexdigest())


def _device_command(command: str | None) -> list[str]:
    wanted = command or os.environ.get("EDGERETRAIN_DEVICE_COMMAND", "")
    try:
        return shlex.split(wanted)
    except ValueError as error:
        raise EdgeretrainError(f"The device command {wanted!r}: {error}. Write it as in a shell.") from None
