"""`edgeretrain retrain --fine-tune`: how its options are understood. What it does is in tests/fine_tuning."""

import re
from pathlib import Path
from typing import Any

import pytest

from cli.conftest import Run
from edgeretrain.errors import EdgeretrainError
from edgeretrain.fine_tuning import FineTuning
from edgeretrain.head.sgd import Sgd
from edgeretrain.training import retrain as pipeline


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `retrain` was asked for; it goes no further."""
    asked: dict[str, Any] = {}

    def stop(*_: Any, **arguments: Any) -> None:
        asked.update(arguments)
        raise EdgeretrainError("It is stopped here. Go on.")

    monkeypatch.setattr(pipeline, "retrain", stop)
    return asked


def test_all_options(cli: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    arguments = (
        *("--fine-tune", "20", "--epochs", "7", "--learning-rate", "0.002", "--train-batch-size", "8"),
        *(
            "--warm-up",
            "0.5",
            "--patience",
            "2",
            "--augmentation",
            "0.4",
            "--mixup",
            "0.2",
            "--distill-from",
            "mobilenet_v1_100_224, own",
            "--distillation",
            "0.5",
            "--soup",
            "2",
            "--no-mirror",
            "--seed",
            "5",
        ),
    )
    assert "stopped here" in cli("retrain", tmp_path, *arguments).fails()
    assert vars(asked["fine_tune"]) == {
        **{"layers": 20, "epochs": 7, "learning_rate": 0.002, "batch_size": 8, "warm_up": 0.5, "patience": 2},
        **{"augmentation": 0.4, "mixup": 0.2, "mirror": False, "label_smoothing": asked["fine_tune"].label_smoothing},
        **{"distill_from": ("mobilenet_v1_100_224", "own"), "distillation": 0.5, "soup": 2},
    }
    assert asked["options"].sgd is None  # the learning rate is not its
    assert asked["options"].seed == 5


def test_all_layers(cli: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    cli("retrain", tmp_path, "--fine-tune", "all").fails()
    assert asked["fine_tune"].layers == "all"
    assert asked["fine_tune"].distill_from == ("mobilenet_v2_100_224", "mobilenet_v1_100_224")
    assert asked["fine_tune"].mirror


def test_no_distillation(cli: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    cli("retrain", tmp_path, "--fine-tune", "all", "--distill-from", "none").fails()
    assert asked["fine_tune"].distill_from == ()


def test_without_it_the_learning_rate_is_gradient_descents(cli: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    steps = ("--how-many-training-steps", "50")
    cli("retrain", tmp_path, *steps, "--learning-rate", "0.002", "--train-batch-size", "8").fails("stopped here")
    assert asked["fine_tune"] is None
    assert asked["options"].sgd == Sgd(steps=50, learning_rate=0.002, batch_size=8)


@pytest.mark.parametrize("option", ["--learning-rate", "--train-batch-size"])
def test_alone_it_does_not_replace_logistic_regression(
    cli: Run, asked: dict[str, Any], tmp_path: Path, option: str
) -> None:
    message = cli("retrain", tmp_path, option, "1").fails()
    assert message == (
        f"error: {option} is an option of gradient descent and of fine-tuning. Add --how-many-training-steps 4000 "
        "(the default of retrain.py) or --fine-tune all, or leave it out."
    )
    assert not asked


def test_steps_alone_are_gradient_descent_with_the_defaults(cli: Run, asked: dict[str, Any], tmp_path: Path) -> None:
    cli("retrain", tmp_path, "--how-many-training-steps", "50").fails("stopped here")
    assert asked["options"].sgd == Sgd(steps=50)


def test_the_help_states_the_defaults_of_gradient_descent(cli: Run) -> None:
    help_text = " ".join(cli("retrain", "--help").succeeds().out.split())
    assert f"gradient descent (retrain.py: {Sgd.steps})" in help_text
    assert f"Learning rate of --how-many-training-steps (default: {Sgd.learning_rate}, as in" in help_text
    assert f"Photos per step of --how-many-training-steps (default: {Sgd.batch_size}, as in" in help_text
    assert f"highest one of --fine-tune (default: {FineTuning.learning_rate})" in help_text


def test_the_guide_states_the_defaults() -> None:
    guide = Path(__file__).parents[2] / "docs" / "fine-tuning.md"
    if not guide.exists():
        pytest.skip("there are no docs here (an installed package)")
    rows = re.findall(r"^\| `--([a-z-]+)` \| .* \| `?([^|`]*)`? \|$", guide.read_text("utf-8"), re.MULTILINE)
    stated = {option.replace("train-", "").replace("-", "_"): default for option, default in rows}
    defaults = {
        name: ",".join(value) if isinstance(value, tuple) else f"{value:g}"
        for name, value in vars(FineTuning()).items()
        if name not in ("layers", "mirror", "label_smoothing")
    }
    assert {name: stated.get(name) for name in defaults} == defaults


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--epochs", "5"), "--epochs is an option of fine-tuning. Add --fine-tune all"),
        (("--no-mirror",), "--no-mirror is an option of fine-tuning"),
        (("--warm-up", "0"), "--warm-up is an option of fine-tuning"),
        (("--fine-tune", "half"), "--fine-tune 'half' is not known. Give all, or the number of layers"),
        (("--fine-tune", "0"), "cannot use 0 as layers"),
        (("--fine-tune", "all", "--epochs", "0"), "cannot use 0 as epochs"),
        (("--fine-tune", "all", "--learning-rate", "7"), "cannot use 7.0 as learning rate"),
        (("--distill-from", "none"), "--distill-from is an option of fine-tuning"),
        (("--fine-tune", "all", "--distillation", "2"), "cannot use 2.0 as distillation"),
        (("--fine-tune", "all", "--soup", "0"), "cannot use 0 as soup. It must be a number from 1"),
        (("--fine-tune", "all", "--distill-from", "mobilenet_v3"), "There is no preset"),
        (("--fine-tune", "all", "--how-many-training-steps", "10"), "cannot be combined with --fine-tune"),
        (("--fine-tune", "all", "--backbone", "own.tflite", "-p", "int8"), "cannot be fine-tuned"),
    ],
)
def test_what_does_not_go_together_is_refused(
    cli: Run, photo_folder: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert message in cli("retrain", photo_folder, "-o", tmp_path / "run", *arguments).fails()
    assert not (tmp_path / "run").exists()
