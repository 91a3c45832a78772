"""Figures from a device: what is sent, what comes back, and what is left there."""

import ast
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from edgeretrain.errors import EdgeretrainError
from edgeretrain.records.benchmark import BenchmarkFailure, BenchmarkResult
from edgeretrain.records.json_form import to_json
from edgeretrain.remote import agent, benchmark_on
from remote.board import ANSWER, ENVIRONMENT, HANG, Device, changed, script, write_model


def failure(device: Device, model: Path) -> str:
    """The one line that a benchmark on the device ends in."""
    with pytest.raises(EdgeretrainError) as error:
        benchmark_on(device.url, [model])
    message = str(error.value)
    assert message.startswith(f"{device.url}: ")
    assert "\n" not in message
    assert device.is_clean()
    return message.removeprefix(f"{device.url}: ")


def _when_it_measures(device: Device, what: signal.Signals) -> threading.Thread:
    """Once the fake edgeretrain runs, send a signal to the server's side of the connection."""

    def act() -> None:
        device.wait_for_note()
        for pid in device.sessions():
            os.kill(pid, what)

    thread = threading.Thread(target=act)
    thread.start()
    return thread


def _has_ended(pid: int) -> bool:
    """Wait for the end of a process that is not a child of this one."""
    for _ in range(500):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


def test_figures_come_back_under_the_callers_paths(device: Device, tmp_path: Path) -> None:
    models = [
        write_model(tmp_path / "a folder" / "model.tflite", 1),
        write_model(tmp_path / "größer's $(id)" / "model.tflite", 2),
        write_model(tmp_path / "c\nd" / "-x.tflite", 3),
    ]
    device.put("bin/edgeretrain", script("print('Timing: 3 of 7', file=sys.stderr)" + ANSWER))
    device.start()
    steps: list[tuple[str, int, int]] = []
    result = benchmark_on(
        device.url,
        models,
        threads=(1, 2),
        runs=5,
        seconds=0.25,
        runtime="tflite_runtime",
        xnnpack=False,
        end_to_end=False,
        progress=lambda *step: steps.append(step),
    )
    assert [measured.model for measured in result.measured] == [str(path) for path in models]
    assert [measured.bytes for measured in result.measured] == [path.stat().st_size for path in models]
    assert result.environment == ENVIRONMENT
    assert result.warnings == (f"{models[-1]}: the spread is wide.",)
    names = ["model-0000.tflite", "model-0001.tflite", "model-0002.tflite"]
    options = ["--json", "--threads", "1,2", "--runs", "5", "--seconds", "0.25", "--runtime", "tflite_runtime"]
    options += ["--no-xnnpack", "--no-end-to-end"]
    assert device.note["argv"] == ["benchmark", *names, *options]
    assert device.note["mode"] == 0o700
    assert Path(device.note["folder"]).parent == device.temporary
    assert device.is_clean()
    assert steps == [*(("Copying models to the device", done, 3) for done in range(4)), ("Timing", 3, 7)]


def test_the_real_benchmark(device: Device) -> None:
    """edgeretrain itself on both sides, with a bundled backbone and an empty file of the right beginning."""
    pytest.importorskip("ai_edge_litert")
    repository = Path(__file__).parents[2]
    program = f"#!/bin/sh\nPYTHONPATH='{repository}' exec '{sys.executable}' -m edgeretrain \"$@\"\n"
    device.put("bin/edgeretrain", program)
    device.start(variables=f"EDGERETRAIN_CACHE={device.home}")
    broken = write_model(device.client / "broken.tflite", 0)
    backbone = repository / "models" / "mobilenet_v2_100_224.int8.tflite"
    result = benchmark_on(device.url, [backbone, broken], runs=2, seconds=0.05)
    assert result.protocol == 1
    assert result.environment.cores == os.cpu_count()
    measured, failed = result.results
    assert isinstance(measured, BenchmarkResult) and isinstance(failed, BenchmarkFailure)
    assert (measured.model, measured.threads) == (str(backbone), 1)
    assert (failed.model, failed.threads) == (str(broken), 1)
    assert measured.inference_ms.median > 0
    assert measured.sha256 == hashlib.sha256(backbone.read_bytes()).hexdigest()
    assert "model-000" not in json.dumps(to_json(result))
    assert device.is_clean()


def test_a_login_and_a_command_that_print_do_no_harm(device: Device, model: Path) -> None:
    device.put("bin/edgeretrain", script(f"print('{{Welcome}}')\nprint('{{}} of')\n{ANSWER}\nprint('Bye {{}}')"))
    # As a .bashrc that prints, without the end of a line; and a banner on stderr.
    noise = device.put("noise", 'printf \'{"event": "hello"}\\n\\377 Welcome! 1 package can be updated.\'\n')
    banner = device.put("banner", "Authorised use only.\n")
    device.start(f"ForceCommand . '{noise}'; eval \"$SSH_ORIGINAL_COMMAND\"", f"Banner {banner}")
    result = benchmark_on(device.url, [model])
    assert [measured.model for measured in result.measured] == [str(model)]


@pytest.mark.parametrize("place", [".local/bin/edgeretrain", "edgeretrain/bin/edgeretrain", ".venv/bin/edgeretrain"])
def test_edgeretrain_is_found_outside_the_path(device: Device, model: Path, place: str) -> None:
    device.put(place, script())
    device.put("broken/bin/edgeretrain", "#!/nowhere/python\n")
    device.start()
    assert benchmark_on(device.url, [model]).environment == ENVIRONMENT


def test_edgeretrain_is_found_as_a_module(device: Device, model: Path) -> None:
    device.put("packages/edgeretrain/__main__.py", script())
    device.put("packages/edgeretrain/__init__.py", "")
    device.put_python(options="")
    device.start(variables=f"PYTHONPATH={device.home / 'packages'}")
    assert benchmark_on(device.url, [model]).environment == ENVIRONMENT


def test_the_command_on_the_device_can_be_named(device: Device, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device.put("bin/edgeretrain", "#!/bin/sh\nexit 1\n")
    device.put("opt/a b/edgeretrain", script())
    device.start()
    assert benchmark_on(device.url, [model], command="'~/opt/a b/edgeretrain'").environment == ENVIRONMENT
    monkeypatch.setenv("EDGERETRAIN_DEVICE_COMMAND", f"{sys.executable} '{device.home}/opt/a b/edgeretrain'")
    assert benchmark_on(device.url, [model]).environment == ENVIRONMENT
    monkeypatch.setenv("EDGERETRAIN_DEVICE_COMMAND", "~/nowhere")
    assert "no edgeretrain works there ([Errno 2]" in failure(device, model)


def test_no_edgeretrain_there(device: Device, model: Path) -> None:
    device.start()
    message = failure(device, model)
    assert message.startswith("no edgeretrain works there. Install it: ssh -p ")
    assert message.endswith(" 'python3 -m venv ~/edgeretrain && ~/edgeretrain/bin/pip install edgeretrain'")


def test_a_32_bit_board_needs_the_other_runtime(device: Device, model: Path) -> None:
    device.put_python("import platform;platform.machine=lambda:'armv7l';platform.python_version=lambda:'3.11.2'")
    device.start()
    assert failure(device, model).endswith('~/edgeretrain/bin/pip install "edgeretrain[tflite-runtime]"\'')


@pytest.mark.parametrize(
    ("body", "version", "says"),
    [
        (ANSWER, "0.0.9", "edgeretrain 0.0.9 is older than 0.1.0 here. Update it: ssh "),
        (
            "print(\"error: No such command 'benchmark'. x\", file=sys.stderr)\nsys.exit(2)",
            "0.1.0",
            "edgeretrain 0.1.0 there has no `benchmark`. Update it: ssh ",
        ),
        ("os.write(1, bytes(range(256)) * 1000)", "0.1.0", "edgeretrain benchmark printed no result there."),
        (
            "print('error: model-0000.tflite: is empty.', file=sys.stderr)\nsys.exit(1)",
            "0.1.0",
            "failed there with exit code 1: {model}: is empty.",
        ),
        ("raise ValueError('broken')", "0.1.0", "failed there with exit code 1: ValueError: broken"),
        ("os.kill(os.getpid(), 9)", "0.1.0", "was ended there by signal 9; 9 often means too little memory."),
    ],
)
def test_what_goes_wrong_there_is_one_line(device: Device, model: Path, body: str, version: str, says: str) -> None:
    device.put("bin/edgeretrain", script(body, version=version))
    device.start()
    assert says.format(model=model) in failure(device, model)


def test_the_update_names_the_pip_of_the_environment_it_was_found_in(device: Device, model: Path) -> None:
    device.put("venv/bin/edgeretrain", script(version="0.0.9"))
    pip = device.put("venv/bin/pip", "#!/bin/sh\n")
    device.start()
    assert failure(device, model).endswith(f"'{pip} install --upgrade edgeretrain'")


def test_a_model_that_failed_there_is_a_result(device: Device, model: Path) -> None:
    device.put(
        "bin/edgeretrain",
        script(changed("result['results'] = [{'model': names[0], 'threads': 1, 'error': f'{names[0]}: crashed.'}]")),
    )
    device.start()
    (result,) = benchmark_on(device.url, [model]).results
    assert result == BenchmarkFailure(model=str(model), threads=1, error=f"{model}: crashed.")


def test_a_full_disk(device: Device, model: Path) -> None:
    device.put("bin/edgeretrain", script())
    device.put_python("import shutil,types;shutil.disk_usage=lambda path:types.SimpleNamespace(free=5000)")
    device.start()
    needed = model.stat().st_size + (16 << 20)
    assert failure(device, model).startswith(f"there is no room: {needed:,} bytes are needed, 5,000 are free. ")
    # Full only while it is written.
    device.put_python("import resource;resource.setrlimit(resource.RLIMIT_FSIZE,(9999,9999))")
    assert failure(device, model).startswith("it failed there (File too large). ")


def test_a_damaged_copy(device: Device, model: Path) -> None:
    device.put("bin/edgeretrain", script())
    device.put_python("import hashlib;hashlib.sha256=hashlib.sha1")
    device.start()
    assert failure(device, model) == f"{model} did not arrive whole, or was changed meanwhile. Run it again."


def test_the_device_disappears_in_the_middle(device: Device, model: Path) -> None:
    device.put("bin/edgeretrain", script(HANG))
    device.start()
    killer = _when_it_measures(device, signal.SIGKILL)
    message = failure(device, model)
    killer.join()
    assert message.startswith("the connection broke off while measuring (")
    assert "Nothing of this run is kept" in message
    assert _has_ended(device.note["pid"])


@pytest.mark.slow
def test_a_device_that_freezes_is_noticed(device: Device, model: Path) -> None:
    """As when its plug is pulled: nothing closes the connection. Takes ssh's 20 s."""
    device.put("bin/edgeretrain", script(HANG))
    device.start()
    freezer = _when_it_measures(device, signal.SIGSTOP)
    with pytest.raises(EdgeretrainError, match=r"broke off while measuring .*not responding"):
        benchmark_on(device.url, [model])
    freezer.join()


def test_ctrl_c_leaves_nothing_there(device: Device, model: Path) -> None:
    device.put("bin/edgeretrain", script(HANG))
    device.start()
    program = textwrap.dedent(f"""
        import signal
        from pathlib import Path
        from edgeretrain.remote import benchmark_on
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            benchmark_on({device.url!r}, [Path({str(model)!r})])
        except KeyboardInterrupt:
            print("stopped")
    """)
    # A process group of its own, interrupted as a whole, as a terminal does.
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    note = device.wait_for_note()
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err) == (b"stopped\n", b"")
    assert device.is_clean()
    assert _has_ended(note["pid"])


def test_bad_models_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match="There is no model to measure"):
        benchmark_on("ssh://nowhere.invalid", [])
    with pytest.raises(EdgeretrainError, match=r"missing.tflite: cannot be read"):
        benchmark_on("ssh://nowhere.invalid", [tmp_path / "missing.tflite"])
    (tmp_path / "text.tflite").write_text("not a model")
    with pytest.raises(EdgeretrainError, match="not a TFLite model"):
        benchmark_on("ssh://nowhere.invalid", [tmp_path / "text.tflite"])


def test_the_agent_is_written_for_python_3_7() -> None:
    source = Path(agent.__file__).read_text(encoding="ascii")
    ast.parse(source, feature_version=(3, 7))
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert imported <= sys.stdlib_module_names
