"""What the agent's messages mean, without a device."""

import copy
import json
from pathlib import Path
from typing import Any, cast

import pytest
from benchmark import made_up

from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import silent
from edgeretrain.records.benchmark import Benchmark
from edgeretrain.records.json_form import to_json
from edgeretrain.remote.address import Address
from edgeretrain.remote.connection import Connection
from edgeretrain.remote.messages import Message, read_message
from edgeretrain.remote.session import RemoteSession, SentModel

SENT = SentModel(Path("a folder/model.tflite"), "model-0000.tflite", 0, "ab")
FIGURES: dict[str, Any] = to_json(made_up.results(made_up.result(SENT.name, sha256="ab")))
HELLO = {"event": "hello", "python": "3.11.2", "machine": "aarch64", "bits": 64}
FOUND = {"event": "found", "version": "9.0.0", "pip": "~/venv/bin/pip"}


class Agent:
    """A connection over which these messages come."""

    step = ""

    def __init__(self, *messages: dict[str, Any]) -> None:
        self._messages = list(messages)

    def receive(self) -> Message:
        return read_message(self._messages.pop(0))


def converse(*messages: dict[str, Any]) -> Benchmark:
    """The result of a conversation in which these messages follow the greeting, or its end."""
    session = RemoteSession(Address("board", "pi"), cast(Connection, Agent(*messages)), [SENT])
    return session.result(session.run(silent))


def failure(*messages: dict[str, Any]) -> str:
    with pytest.raises(EdgeretrainError) as error:
        converse(*messages)
    return str(error.value).removeprefix("ssh://pi@board: ")


def ended(out: str = "", *, code: int = 0, stderr: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"event": "ended", "code": code, "out": out, "stderr": list(stderr)}


@pytest.mark.parametrize(
    ("machine", "bits", "python", "says"),
    [
        ("aarch64", 64, "3.13.5", "~/edgeretrain/bin/pip install edgeretrain'"),
        ("armv7l", 32, "3.11.2", '~/edgeretrain/bin/pip install "edgeretrain[tflite-runtime]"\''),
        ("aarch64", 32, "3.11.2", '~/edgeretrain/bin/pip install "edgeretrain[tflite-runtime]"\''),
        ("armv7l", 32, "3.13.5", "tflite-runtime is there for Python up to 3.11 only: use a 64-bit system."),
        ("armv6l", 32, "3.11.2", "no TFLite runtime is published for it. Use a 64-bit ARM or x86 device."),
        ("riscv64", 64, "3.13.5", "no TFLite runtime is published for it. Use a 64-bit ARM or x86 device."),
        ("aarch64", 64, "3.9.2", "edgeretrain needs 3.10: update its system, then install edgeretrain."),
    ],
)
def test_what_to_install_depends_on_the_board(machine: str, bits: int, python: str, says: str) -> None:
    hello = {**HELLO, "machine": machine, "bits": bits, "python": python}
    message = failure(hello, {"event": "failed", "kind": "no edgeretrain", "reason": ""})
    assert message.startswith("no edgeretrain works there. ")
    assert message.endswith(says)


def test_no_runtime() -> None:
    complaint = "No runtime for .tflite files works here (ai_edge_litert: No module named 'x'). Run pip install y"
    message = ended(code=1, stderr=(f"error: {complaint}",))
    assert failure(HELLO, FOUND, message) == f"{complaint}."
    assert failure({**HELLO, "machine": "riscv64"}, FOUND, message) == (
        "no runtime works there. It is riscv64: no TFLite runtime is published for it. Use a 64-bit ARM or x86 device."
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"protocol": 2}, "edgeretrain 9.0.0 there measures by protocol 2, this one by 1. Update it here: pip install"),
        ({"protocol": None}, "there measures by another protocol. Update it: ssh pi@board '~/venv/bin/pip install"),
        ({"protocol": [1]}, "there measures by another protocol. Update it: ssh pi@board '~/venv/bin/pip install"),
        ({"results": []}, "its answer does not hold the figures of the models ("),
        ({"results": 7}, "its answer does not hold the figures of the models ("),
        ({"results": [7]}, "its answer does not hold the figures of the models ("),
        ({"results": [{"model": ["a"]}]}, "its answer does not hold the figures of the models ("),
        ({"results": [{"model": "other.tflite"}]}, "its answer does not hold the figures of the models ("),
        ({"environment": None}, "its answer does not hold the figures of the models ("),
        ({"schema": 2}, "edgeretrain 9.0.0 there is too new for this one (schema is 2, "),
        ({"results": [{"model": SENT.name, "threads": 1}]}, "(results[0].sha256 is missing). Update edgeretrain there"),
        ({"results": [{"model": SENT.name, "sha256": "cd"}]}, "it measured another file than a folder/model.tflite."),
    ],
)
def test_an_answer_that_is_no_result(change: dict[str, Any], says: str) -> None:
    assert says in failure(HELLO, FOUND, ended(json.dumps({**FIGURES, **change})))


@pytest.mark.parametrize("out", ["", '{"results": [1, 2', "{}", '{"results":' * 100_000, "\0\ufffd"])
def test_garbage(out: str) -> None:
    assert failure(HELLO, FOUND, ended(out)).startswith("edgeretrain benchmark printed no result there.")


def test_figures_count_whatever_the_exit_code() -> None:
    """The benchmark may end with 1 because one of several models failed."""
    wanted = copy.deepcopy(FIGURES)
    wanted["results"][0]["model"] = str(SENT.path)
    result = converse(HELLO, FOUND, ended(f"Hi {{}}\n{{}}\n{json.dumps(FIGURES, indent=1)}\nBye", code=1))
    assert to_json(result) == wanted
