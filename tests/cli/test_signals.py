"""SIGTERM and SIGHUP end a command as Ctrl-C does, and nothing is left."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cli.conftest import command, make_photos
from edgeretrain.cli.signals import exit_code, heed_signals

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["at the start", "bottlenecks"])
@pytest.mark.parametrize("times", [1, 3])
def test_nothing_is_left(tmp_path: Path, stop: signal.Signals, moment: str, times: int) -> None:
    photos, cache = make_photos(tmp_path / "photos", count=100), tmp_path / "cache"
    child = subprocess.Popen(
        command("retrain", photos, "--out", tmp_path / "out", "--workers", 1, "-p", "int8", "-q"),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "EDGERETRAIN_CACHE": str(cache)},
        preexec_fn=lambda: signal.signal(stop, signal.SIG_DFL),
    )
    while not list(tmp_path.glob(".out.partial-*")):
        time.sleep(0.01)
    while moment == "bottlenecks" and not list(cache.rglob("*.sqlite")):
        time.sleep(0.01)
    for _ in range(times):
        child.send_signal(stop)
    _, told = child.communicate(timeout=60)
    assert (child.returncode, told) == (128 + stop, "")
    assert {path.name for path in tmp_path.iterdir()} <= {"photos", "cache"}


def test_who_ignores_a_signal_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        heed_signals()
        os.kill(os.getpid(), signal.SIGHUP)
        assert exit_code(0) == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_go_with_the_command() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        heed_signals()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # the second does not interrupt what tidies up
        assert exit_code(130) == 143
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        heed_signals()
        assert exit_code(None) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
