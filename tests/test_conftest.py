"""What conftest.py does for the whole suite."""

import os
import subprocess
import sys
import time
from pathlib import Path


def test_every_process_finds_the_same_tests(tmp_path: Path) -> None:
    """pytest's processes refuse to start where names differ, as by the time, the order of a set or a temporary path."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-o", "addopts=", "tests"]
    root = Path(__file__).parent.parent
    processes = []
    for number in range(2):
        folder = tmp_path / str(number)
        folder.mkdir()
        env = {**os.environ, "PYTHONHASHSEED": str(number), "TMPDIR": str(folder), "PYTEST_ADDOPTS": ""}
        processes.append(subprocess.Popen(command, cwd=root, env=env, stdout=subprocess.PIPE, text=True))
        time.sleep(1.1)  # archives and reports tell whole seconds
    first, second = ([line for line in process.communicate()[0].splitlines() if "::" in line] for process in processes)
    assert len(first) > 2000
    assert second == first
