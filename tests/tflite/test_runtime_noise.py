"""What a runtime prints on its own: the banner is swallowed, nothing else is."""

import importlib.metadata
import os
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.tflite import quiet
from edgeretrain.tflite.quiet import BANNER, suppress_banner
from edgeretrain.tflite.runtime import load_runtime

MODEL = Path(__file__).parents[2] / "models" / "mobilenet_v2_100_224.int8.tflite"
LOAD = f"from pathlib import Path\nfrom edgeretrain.tflite.runtime import Network\nmodel = Path({str(MODEL)!r})\n"


def run(code: str, **named: Any) -> tuple[str, str]:
    pytest.importorskip("ai_edge_litert")
    done = subprocess.run([sys.executable, "-c", LOAD + code], capture_output=True, text=True, check=True, **named)
    return done.stdout, done.stderr


def test_the_runtime_still_prints_its_banner() -> None:
    """When it stops, suppress_banner can go."""
    _, stderr = run(
        "from ai_edge_litert.interpreter import Interpreter\nInterpreter(model_path=str(model)).allocate_tensors()"
    )
    assert stderr.encode() == BANNER


def test_a_first_and_a_second_network_are_silent() -> None:
    assert run("Network(model); Network(model)") == ("", "")


def test_a_model_without_delegates_leaves_the_next_one_silent() -> None:
    """No delegate, no banner: it comes with the next model."""
    assert run("from edgeretrain.tflite.runtime import Runner\nRunner(model, delegates=False); Network(model)") == (
        "",
        "",
    )


def test_a_model_that_does_not_load_leaves_the_next_one_silent() -> None:
    code = (
        "from edgeretrain.errors import EdgeretrainError\n"
        "try:\n"
        "    Network(b'no model')\n"
        "except EdgeretrainError as error:\n"
        "    print(error)\n"
        "Network(model)\n"
    )
    stdout, stderr = run(code)
    assert "cannot load it" in stdout
    assert stderr == ""


def test_networks_made_by_many_threads_are_silent() -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print(len(list(pool.map(Network, [model] * 16))))\n"
    )
    assert run(code) == ("16\n", "")


@pytest.mark.skipif(os.name == "nt", reason="file descriptors are closed otherwise on Windows")
def test_a_process_without_standard_error_runs() -> None:
    assert run("print(Network(model).size)", preexec_fn=lambda: os.close(2))[0] == "224\n"


@pytest.fixture
def not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "_started", set())


def test_all_but_the_banner_is_passed_on(not_started: None, capfd: pytest.CaptureFixture[str]) -> None:
    with suppress_banner("one"):
        os.write(2, b"before\n" + BANNER + b"WARNING: after\n")
        threads = [threading.Thread(target=os.write, args=(2, b"x" * 5000 + b"\n")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        os.write(2, b"progress\n")
    assert capfd.readouterr().err == "before\nWARNING: after\n" + ("x" * 5000 + "\n") * 20 + "progress\n"


def test_only_the_first_interpreter_of_a_runtime_is_filtered(
    not_started: None, capfd: pytest.CaptureFixture[str]
) -> None:
    for runtime in ("one", "one", "two"):
        with suppress_banner(runtime):
            os.write(2, BANNER)
    assert capfd.readouterr().err.encode() == BANNER


def test_an_error_passes_and_the_next_one_is_the_first(not_started: None, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="wrong"), suppress_banner("one"):
        os.write(2, b"ERROR: told\n")
        raise ValueError("wrong")
    with suppress_banner("one"):
        os.write(2, BANNER)
    os.write(2, b"still there\n")
    assert capfd.readouterr().err == "ERROR: told\nstill there\n"


def test_a_runtime_built_for_another_numpy_is_one_line_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Interpreter:
        """Fails as tflite-runtime 2.14 does under NumPy 2."""

        def __init__(self, **named: Any) -> None:
            print("A module that was compiled using NumPy 1.x\ncannot be run in NumPy 2", file=sys.stderr)
            raise SystemError("returned a result with an exception set") from ImportError("numpy.core.multiarray")

    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter = Interpreter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.14.0")
    monkeypatch.setattr("numpy.__version__", "2.1.0")
    with pytest.raises(EdgeretrainError) as caught:
        load_runtime("tflite_runtime")
    assert str(caught.value) == (
        "The runtime tflite_runtime does not work here (tflite_runtime: built for NumPy 1, not for NumPy 2.1.0). "
        'Run pip install "numpy<2"'
    )
    assert capfd.readouterr() == ("", "")
