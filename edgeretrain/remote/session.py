"""One conversation with the agent on a device, and what its answers mean."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from edgeretrain.errors import EdgeretrainError
from edgeretrain.progress import Progress
from edgeretrain.records.benchmark import PROTOCOL, Benchmark
from edgeretrain.records.json_form import NewerSchemaError, RecordError, from_json
from edgeretrain.remote.address import Address
from edgeretrain.remote.connection import Connection
from edgeretrain.remote.messages import Copied, Ended, Failed, Found, Hello, Measuring, Ready
from edgeretrain.version import __version__

_COPYING = "Copying models to the device"


@dataclass(frozen=True)
class SentModel:
    """A model here (`path`) and there (`name`)."""

    path: Path
    name: str
    bytes: int
    sha256: str


class RemoteSession:
    """A conversation with the agent on a device, from its first word to the benchmark's result."""

    def __init__(self, address: Address, connection: Connection, sent: list[SentModel]) -> None:
        self._address = address
        self._connection = connection
        self._sent = {model.name: model for model in sent}
        self._hello: Hello
        self._found: Found

    def run(self, progress: Progress) -> Ended:
        """Converse until the benchmark has ended; the message that says how."""
        copied = 0
        while True:
            message = self._connection.receive()
            if isinstance(message, Hello):
                self._hello = message
                self._connection.step = "looking for edgeretrain there"
            elif isinstance(message, Found):
                self._found = message
                self._check_version()
            elif isinstance(message, Ready):
                self._connection.step = "copying the models"
                progress(_COPYING, 0, len(self._sent))
                for model in self._sent.values():
                    self._send(model)
            elif isinstance(message, Copied):
                copied += 1
                progress(_COPYING, copied, len(self._sent))
                self._connection.step = "measuring" if copied == len(self._sent) else self._connection.step
            elif isinstance(message, Measuring):
                progress(message.step, message.done, message.total)
            elif isinstance(message, Failed):
                self._fail(message)
            else:
                return message

    def _send(self, model: SentModel) -> None:
        left = model.bytes
        try:
            with model.path.open("rb") as file:
                while left and (block := file.read(min(left, 1 << 20))):
                    self._connection.send(block)
                    left -= len(block)
        except OSError as error:
            raise EdgeretrainError(f"{model.path}: cannot be read ({error.strerror}). Run it again.") from None
        if left:
            raise EdgeretrainError(f"{model.path}: it became shorter while it was copied. Run it again.")

    def _check_version(self) -> None:
        there = self._found.version
        if _numbers(there) < _numbers(__version__):
            self._outdated(f"edgeretrain {there} is older than {__version__} here")

    def _outdated(self, what: str) -> NoReturn:
        raise self._error(
            f"{what}. Update it: {self._address.command} '{self._found.pip} install --upgrade {self._package()}'"
        )

    def _error(self, text: str) -> EdgeretrainError:
        return EdgeretrainError(f"{self._address}: {text}")

    def _machine(self) -> str:
        """The device's architecture; a 64-bit kernel may carry a 32-bit system."""
        machine = self._hello.machine
        return "armv7l" if machine == "aarch64" and self._hello.bits == 32 else machine

    def _package(self) -> str:
        return '"edgeretrain[tflite-runtime]"' if self._machine() == "armv7l" else "edgeretrain"

    def _fail(self, failure: Failed) -> NoReturn:
        if failure.kind == "no edgeretrain":
            reason = f" ({failure.reason})" if failure.reason else ""
            raise self._error(f"no edgeretrain works there{reason}. {self._how_to_install()}")
        if failure.kind == "disk":
            raise self._error(
                f"there is no room: {failure.needed:,} bytes are needed, {failure.free:,} are free. "
                "Make room in its /tmp, /var/tmp or home folder."
            )
        if failure.kind == "copy":
            raise self._error(
                f"{self._sent[failure.name].path} did not arrive whole, or was changed meanwhile. Run it again."
            )
        raise self._error(
            f"it failed there ({failure.reason}). Look at the disk and the rights of its temporary folder."
        )

    def _how_to_install(self) -> str:
        version = self._hello.python
        if _numbers(version) < (3, 10):
            return f"Its Python is {version}; edgeretrain needs 3.10: update its system, then install edgeretrain."
        if reason := self._no_runtime_for_it():
            return reason
        return (
            f"Install it: {self._address.command} "
            f"'python3 -m venv ~/edgeretrain && ~/edgeretrain/bin/pip install {self._package()}'"
        )

    def _no_runtime_for_it(self) -> str | None:
        machine = self._machine()
        if machine in ("x86_64", "AMD64", "aarch64", "arm64"):
            return None
        if machine == "armv7l":
            if _numbers(self._hello.python) < (3, 12):
                return None
            return (
                f"It is a 32-bit board ({machine}) with Python {self._hello.python}, and tflite-runtime is there "
                "for Python up to 3.11 only: use a 64-bit system."
            )
        return f"It is {machine}: no TFLite runtime is published for it. Use a 64-bit ARM or x86 device."

    def result(self, ended: Ended) -> Benchmark:
        """The benchmark's result out of what it printed, in the caller's names."""
        content = _find_json(ended.out)
        if content is None:
            self._explain(ended)
        theirs = content.get("protocol")
        if theirs != PROTOCOL:
            if isinstance(theirs, int) and theirs > PROTOCOL:
                raise self._error(
                    f"edgeretrain {self._found.version} there measures by protocol {theirs}, this one by "
                    f"{PROTOCOL}. Update it here: pip install --upgrade edgeretrain"
                )
            self._outdated(f"edgeretrain {self._found.version} there measures by another protocol")
        self._check_files(content)
        try:
            return from_json(Benchmark, self._renamed(content))
        except NewerSchemaError as error:
            raise self._error(
                f"edgeretrain {self._found.version} there is too new for this one ({error}). Update it here: pip "
                "install --upgrade edgeretrain"
            ) from None
        except RecordError as error:
            raise self._incomplete(str(error)) from None

    def _check_files(self, content: dict[str, Any]) -> None:
        """Whether the figures are those of the files that were sent; names are still the device's."""
        results = content.get("results")
        results = [result for result in results if isinstance(result, dict)] if isinstance(results, list) else []
        if {str(result.get("model")) for result in results} != set(self._sent):
            raise self._incomplete("results are not those of the models that were sent")
        for result in results:
            model = self._sent[result["model"]]
            if result.get("sha256", model.sha256) != model.sha256:
                raise self._error(f"it measured another file than {model.path}. Run it again.")

    def _incomplete(self, problem: str) -> EdgeretrainError:
        return self._error(
            f"its answer does not hold the figures of the models ({problem}). Update edgeretrain there and here."
        )

    def _renamed(self, value: Any) -> Any:
        if isinstance(value, str):
            return re.sub(r"model-\d{4,}\.tflite", self._local_name, value)
        if isinstance(value, list):
            return [self._renamed(entry) for entry in value]
        if isinstance(value, dict):
            return {key: self._renamed(entry) for key, entry in value.items()}
        return value

    def _local_name(self, match: re.Match[str]) -> str:
        model = self._sent.get(match[0])
        return str(model.path) if model else match[0]

    def _explain(self, ended: Ended) -> NoReturn:
        code = ended.code
        said: str = self._renamed(ended.stderr[-1] if ended.stderr else "").removeprefix("error: ")
        if code == 2 and "No such command" in said:
            self._outdated(f"edgeretrain {self._found.version} there has no `benchmark`")
        if "No runtime for .tflite files" in said:
            hint = self._no_runtime_for_it()
            raise self._error(f"{said.rstrip('.')}." if hint is None else f"no runtime works there. {hint}")
        if code < 0:
            raise self._error(
                f"edgeretrain benchmark was ended there by signal {-code}; 9 often means too little memory. Try fewer "
                "models or threads."
            )
        if code:
            raise self._error(f"edgeretrain benchmark failed there with exit code {code}: {said or 'no reason given.'}")
        raise self._error(
            f"edgeretrain benchmark printed no result there. Look at what {self._address.command} edgeretrain "
            "benchmark --help prints."
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _find_json(text: str) -> dict[str, Any] | None:
    """The result in what the benchmark printed, whatever else was printed around it; None if there is none."""
    for start in re.finditer(r"^\{", text, re.MULTILINE):
        try:
            value, _ = json.JSONDecoder().raw_decode(text, start.start())
        except (ValueError, RecursionError):
            continue
        if "results" in value:
            return dict(value)
    return None
