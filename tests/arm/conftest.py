"""Our wheel, models retrained here, and userlands made once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from arm.arm_demo import Demo
from arm.userland import CannotSetUp, Ready, build_wheel, set_up


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    pytest.importorskip("skimage")
    out = tmp_path_factory.mktemp("demo") / "demo"
    subprocess.run([sys.executable, "-m", "edgeretrain", "demo", "--quiet", "--out", out], check=True)
    return Demo(out / "photos", out / "run")


@pytest.fixture(scope="session")
def userland(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ready]:
    """Sets a userland up in EDGERETRAIN_ARM (kept for the next time), or in a temporary folder."""
    named = os.environ.get("EDGERETRAIN_ARM")
    folder = Path(named).absolute() if named else tmp_path_factory.mktemp("arm")
    wheels: list[Path] = []
    made: dict[str, Ready] = {}

    def get(name: str) -> Ready:
        try:
            if not wheels:
                wheels.append(build_wheel(folder))
            if name not in made:
                made[name] = set_up(name, folder, wheels[0])
        except CannotSetUp as reason:
            pytest.skip(str(reason))
        return made[name]

    return get


@pytest.fixture(scope="session")
def answers(demo: Demo, userland: Callable[[str], Ready]) -> Callable[[str, str], Any]:
    """What all models say in a userland, in a runtime."""
    known: dict[tuple[str, str], Any] = {}

    def get(name: str, runtime: str) -> Any:
        if (name, runtime) not in known:
            task = {"models": list(map(str, demo.models)), "photos": list(map(str, demo.some)), "runtime": runtime}
            done = userland(name).run(Path(__file__).with_name("answers.py"), json.dumps(task))
            assert done.returncode == 0, done.stderr
            known[name, runtime] = json.loads(done.stdout)
        return known[name, runtime]

    return get
