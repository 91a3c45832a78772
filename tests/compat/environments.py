"""Environments of other packages, made by pip, and what runs in them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

Environment = Callable[..., Path]
"""Called with requirements; makes an environment that has them and gives its interpreter."""


@dataclass(frozen=True)
class Retrained:
    """A run folder, all photos it was made from, and which of them are the held-out test photos."""

    folder: Path
    models: list[Path]
    labels: list[str]
    photos: list[Path]
    testing: list[int]


def make_environment(folder: Path, *requirements: str) -> Path:
    """A virtual environment of Python 3.10 or 3.11 with these packages; its interpreter. Skips if pip cannot."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    subprocess.run([_old_python(), "-m", "venv", folder], check=True, capture_output=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"]
    done = subprocess.run([*pip, *requirements], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
        pytest.skip(f"pip cannot install {' '.join(requirements)}: {reason}")
    return python


def _old_python() -> str:
    """tflite-runtime's newest wheels are for Python 3.11."""
    if sys.version_info[:2] in ((3, 10), (3, 11)):
        return sys.executable
    for name in ("python3.11", "python3.10"):
        python = shutil.which(name)
        # A version manager's stand-in may be on the path without an interpreter behind it.
        if python and not subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True).returncode:
            return python
    pytest.skip("there is no python3.10 or python3.11, and tflite-runtime has no wheels for newer ones")


def run_here(python: str | Path, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run an interpreter on this repository's edgeretrain, not on an installed one."""
    named = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "EDGERETRAIN"))}
    done = subprocess.run(
        [python, *arguments], capture_output=True, text=True, env={**named, "PYTHONPATH": str(REPOSITORY)}
    )
    assert not check or done.returncode == 0, done.stderr
    return done
