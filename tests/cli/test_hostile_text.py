"""Text of other people reaches the terminal escaped: names, labels, tensors, cards, records, messages of devices."""

import io
import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from benchmark.made_up import failure, result, results
from rich.console import Console
from rich.text import Text
from support.garden import jpeg, put
from support.own_backbone import put_own_backbone

from cli.conftest import Outcome, Run, make_photos
from edgeretrain.cli import console
from edgeretrain.files.describe import one_line
from edgeretrain.records.json_form import to_json
from edgeretrain.tflite.flatbuffer import read_model, write_model
from edgeretrain.tflite.package import pack

# A title, colours, CSI in one byte, the other way round, markup. A label may have all of these in it.
HOSTILE = "\x1b]0;PWNED\x07\x1b[31mred\x9b2J\u202egpj[red][bold][x]:smiley:"
CLOSING = f"{HOSTILE}[/x]\r\n"
CLI = Path(console.__file__).parent


def harmless(outcome: Outcome, *, shows: bool = True, code: int | None = 0) -> Outcome:
    """Nothing that was printed acts upon a terminal; with `shows`, the text itself was there and is escaped."""
    text = outcome.out + outcome.err
    assert code is None or outcome.code == code, text
    bad = {character for character in text if not character.isprintable() and character != "\n"}
    assert not bad, (bad, text)
    assert "Traceback" not in text
    if shows:
        together = re.sub(r"\s", "", text)  # a table folds long names
        assert r"\x1b]0;PWNED" in together or r"\u001b]0;PWNED\u0007" in together, text  # Rich drops the bell
        assert "[red][bold][x]:smiley:" in together, text  # not taken for markup
    return outcome


@pytest.fixture(scope="module")
def evil(run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound model whose labels, card, tensors, metadata and file name are hostile."""
    source = (run_folder / "model.int8.tflite").read_bytes()
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        card = json.loads(archive.read("edgeretrain.json"))
        flatbuffer = source[: min(info.header_offset for info in archive.infolist())]
    tree = read_model(flatbuffer)
    for tensor in tree.subgraphs[0].tensors:
        tensor.name = f"{CLOSING}{tensor.name}"
    tree.description = CLOSING
    for entry in tree.metadata or ():
        entry.name = f"{CLOSING}{entry.name}" if isinstance(entry.name, str) else entry.name
    kept = {key: card[key] for key in ("fit", "reject_below")}
    hostile_card = {key: CLOSING if isinstance(value, str) else value for key, value in card.items()} | kept
    hostile_card[CLOSING] = {CLOSING: [CLOSING]}
    path = tmp_path_factory.mktemp("evil") / f"{HOSTILE}.tflite"
    path.write_bytes(pack(write_model(tree), (HOSTILE, "grass"), hostile_card))
    return path


@pytest.fixture(scope="module")
def evil_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes with hostile names, hostile photos, one of them no photo at all."""
    folder = make_photos(tmp_path_factory.mktemp("photos") / f"photos {HOSTILE}", labels=(HOSTILE, "grass"), count=8)
    for label in (HOSTILE, "grass"):
        put(folder / label / f"{HOSTILE}.jpg", jpeg(1))
        (folder / label / f"no photo {HOSTILE}.jpg").write_text("no photo")
    return folder


@pytest.fixture(scope="module")
def evil_run(evil_photos: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edgeretrain import retrain

    out = tmp_path_factory.mktemp("run") / f"run {HOSTILE}"
    retrain(evil_photos, out, precisions=["int8"], cache=cache)
    return out


@pytest.mark.parametrize("options", [(), ("--layers",), ("--tensors",), ("--json",), ("--json", "--tensors")])
def test_inspect(cli: Run, evil: Path, options: tuple[str, ...]) -> None:
    harmless(cli("inspect", evil, *options))


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_classify(cli: Run, evil: Path, evil_photos: Path, options: tuple[str, ...]) -> None:
    harmless(cli("classify", evil, evil_photos / HOSTILE / f"{HOSTILE}.jpg", *options))
    harmless(cli("classify", evil, evil_photos / "grass", *options), code=1)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_evaluate(cli: Run, evil: Path, evil_photos: Path, options: tuple[str, ...]) -> None:
    harmless(cli("evaluate", evil, evil_photos, *options))


@pytest.mark.parametrize("options", [(), ("--json",), ("--strict",)])
def test_retrain(cli: Run, evil_photos: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    out = tmp_path / f"out {HOSTILE}"
    harmless(cli("retrain", evil_photos, "--out", out, "-p", "int8", *options), code="--strict" in options)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_teach(cli: Run, evil_run: Path, evil_photos: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    more = make_photos(tmp_path / "more", labels=("one", "two", "third"), count=8) / "third"
    out = tmp_path / f"out {HOSTILE}"
    harmless(cli("teach", evil_run, "--add", f"new {HOSTILE}", more, "--out", out, *options))
    harmless(cli("teach", evil_run, "--remove", f"no {HOSTILE}", "--out", out, *options), code=1)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_sweep(cli: Run, evil_photos: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    chosen = ("--preset", "mobilenet_v2_100_224", "-p", "int8", "--no-latency")
    harmless(cli("sweep", evil_photos, "--out", tmp_path / f"out {HOSTILE}", *chosen, *options), shows=not options)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_export(cli: Run, evil: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    harmless(cli("export", "android", evil, "--out", tmp_path / HOSTILE, *options), code=None)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_benchmark(cli: Run, evil: Path, options: tuple[str, ...]) -> None:
    measured = ("--runs", 1, "--seconds", 0, "--no-end-to-end")
    harmless(cli("benchmark", evil, *measured, *options))


def _spoil(value: Any) -> Any:
    """Every text of a record, but for those that must be one of a few."""
    if isinstance(value, dict):
        fixed = ("schema", "delegate", "kind", "precision", "sha256", "system", "taken")
        return {key: inner if key in fixed else _spoil(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_spoil(inner) for inner in value]
    return f"{CLOSING}{value}" if isinstance(value, str) else value


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_results_of_others(cli: Run, tmp_path: Path, options: tuple[str, ...]) -> None:
    record = to_json(results(result("a"), failure("b")))
    for number, spoilt in enumerate((_spoil(record), {**record, "warnings": [CLOSING]})):
        file = tmp_path / f"{number} {HOSTILE}.json"
        file.write_text(json.dumps(spoilt))
        harmless(cli("benchmark", "--results", file, *options), code=1)
        harmless(cli("benchmark", "--results", file, "--compare", file, *options), code=1)


@pytest.mark.parametrize("command", [("presets",), ("presets", "my_net"), ("backbone", "list"), ("cache", "list")])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_what_is_kept(
    cli: Run, command: tuple[str, ...], options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / f"cache {HOSTILE}"
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(cache))
    backbone = put_own_backbone()
    card = backbone.path.with_suffix(".json")
    spoilt = json.loads(card.read_text())
    spoilt |= {"architecture": CLOSING, "source": {"kind": CLOSING, "file": CLOSING}, "resolution": CLOSING}
    card.write_text(json.dumps(spoilt))
    shutil.copy(backbone.path, backbone.path.with_name(f"{HOSTILE}.int8.tflite"))
    harmless(cli(*command, *options))


@pytest.mark.parametrize(
    "arguments",
    [
        ("retrain", HOSTILE),
        ("retrain", ".", "--preset", HOSTILE),
        ("retrain", ".", "--precision", HOSTILE),
        ("retrain", ".", "--backbone", HOSTILE, "-p", "int8"),
        ("retrain", ".", "--runtime", HOSTILE),
        ("teach", HOSTILE, "--remove", "x"),
        ("teach", ".", "--add", HOSTILE),
        ("sweep", HOSTILE),
        ("sweep", ".", "--presets", HOSTILE),
        ("sweep", ".", "--max-size", HOSTILE),
        ("sweep", ".", "--device", f"ssh://{HOSTILE}"),
        ("benchmark", HOSTILE),
        ("benchmark", "x.tflite", "--threads", HOSTILE),
        ("benchmark", "--results", HOSTILE),
        ("classify", HOSTILE, "x.jpg"),
        ("classify", "x.tflite", HOSTILE),
        ("classify", "x.tflite", f"camera:{HOSTILE}"),
        ("serve", HOSTILE),
        ("serve", "x.tflite", "--camera", HOSTILE),
        ("evaluate", HOSTILE, "."),
        ("import", HOSTILE, "--labels", HOSTILE),
        ("inspect", HOSTILE),
        ("presets", HOSTILE),
        ("presets", "--sort", HOSTILE),
        ("backbone", "build", HOSTILE),
        ("backbone", "build", "x", "--from", HOSTILE),
        ("backbone", "path", HOSTILE),
        ("cache", "clear", HOSTILE),
        ("export", "android", HOSTILE, "--out", "."),
        ("demo", "--out", "pyproject.toml/" + HOSTILE),
        (HOSTILE,),
        ("presets", f"--{HOSTILE}"),
    ],
    ids=lambda arguments: " ".join(arguments).replace(HOSTILE, "HOSTILE").replace("/", "|"),
)
def test_errors(cli: Run, arguments: tuple[str, ...]) -> None:
    outcome = harmless(cli(*arguments), shows=False, code=None)
    assert outcome.code in (1, 2)
    assert outcome.err.splitlines()[-1].startswith("error: ")


def test_streams(capsys: pytest.CaptureFixture[str]) -> None:
    from edgeretrain.cli.classify_stream import Screen, StreamOptions

    options = StreamOptions(3, None, None, None, None, 1, None, False, False)
    Screen(options).notify(CLOSING)
    told = capsys.readouterr()
    harmless(Outcome(0, told.out, told.err))


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_and_tables(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    with console.progress_shown(quiet=False) as progress:
        progress(HOSTILE, 1, 1)
    console.print_rich(Text(CLOSING))
    console.print_rich(CLOSING)
    told = capsys.readouterr()
    if terminal:  # Rich's own escapes are in it
        assert not re.search("\x1b\\]|\x1b\\[31mred|\x9b|\u202e|\x07", told.err)
        assert one_line(HOSTILE) in told.err
    harmless(Outcome(0, told.out, "" if terminal else told.err))


def test_a_real_terminal_gets_no_escapes_but_those_of_rich() -> None:
    screen = Console(file=io.StringIO(), force_terminal=True, width=300, markup=False, emoji=False)
    screen.print(console._Harmless(Text(CLOSING, style="bold")))
    shown = screen.file.getvalue()
    assert shown.startswith("\x1b[1m") and "\x1b]" not in shown and "\x9b" not in shown and "\u202e" not in shown
    assert r"\x1b]0;PWNED\x1b[31mred\x9b2J\u202egpj[red][bold][x]:smiley:[/x]" in shown


def test_json_is_the_same_value() -> None:
    for value in (HOSTILE, CLOSING, "\udc80", "\U000e0001", "plain", "Größe 🌹 می\u200cخواهم"):
        text = console.json_text({value: [value]})
        assert json.loads(text) == {value: [value]}
        assert text.isprintable() or "\u200c" in text


def test_all_commands_print_through_the_console() -> None:
    """Else the next command forgets it."""
    allowed = {"console.py": 99}
    for path in sorted(CLI.glob("*.py")):
        source = path.read_text()
        found = re.findall(r"^.*(?:\bprint\(|typer\.echo\(|sys\.std(?:out|err)\.write\().*$", source, re.MULTILINE)
        other = [line for line in found if "context.get_help()" not in line and "__version__" not in line]
        live = [line for line in other if "set_cell_size(line" in line or '" " * max(1' in line]  # escaped before
        assert len(other) - len(live) <= allowed.get(path.name, 0), (path.name, other)
