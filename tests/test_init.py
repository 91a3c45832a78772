"""What importing costs: nothing that is not needed."""

import subprocess
import sys
from pathlib import Path

import pytest

import edgeretrain

HEAVY = ("tensorflow", "ai_edge_litert", "tflite_runtime", "skimage", "scipy", "numpy", "PIL", "jinja2")
NOT_ON_A_PI = ("scipy", "jinja2", "rich", "typer", "threadpoolctl", "platformdirs", "flatbuffers", "tensorflow", "h5py")


def loaded(code: str, names: tuple[str, ...]) -> str:
    """Which of these modules a process has imported after the code."""
    end = f"\nimport sys\nprint('loaded:', *[name for name in {names} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + end], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[-1].removeprefix("loaded:").strip()


def test_import_is_light() -> None:
    assert loaded("import edgeretrain", HEAVY) == ""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["retrain", "--help"], ["presets", "mobilenet_v1_*"]])
def test_help_loads_neither_tensorflow_nor_a_runtime(arguments: list[str]) -> None:
    code = (
        f"import sys\nsys.argv = ['edgeretrain', *{arguments}]\nfrom edgeretrain.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
    )
    assert loaded(code, HEAVY[:5]) == ""


def test_the_classifier_needs_numpy_pillow_and_a_runtime_only() -> None:
    assert loaded("from edgeretrain import Classifier", (*NOT_ON_A_PI, "ai_edge_litert", "tflite_runtime")) == ""


def test_classifying_needs_no_more() -> None:
    pytest.importorskip("ai_edge_litert")
    model = Path(__file__).parents[1] / "models" / "mobilenet_v2_100_224.int8.tflite"
    code = (
        "import numpy as np\nfrom pathlib import Path\nfrom edgeretrain.classifier import Classifier\n"
        "from edgeretrain.data.pixels import load_pixels\nfrom edgeretrain.tflite.runtime import Network\n"
        f"Network(Path({str(model)!r}))(load_pixels(np.zeros((9, 9, 3), np.uint8), 224))"
    )
    assert loaded(code, ("scipy", "jinja2", "rich", "typer", "threadpoolctl", "platformdirs", "tensorflow")) == ""


def test_what_the_package_offers() -> None:
    from edgeretrain.classifier import Classifier
    from edgeretrain.training.retrain import retrain

    assert edgeretrain.Classifier is Classifier
    assert edgeretrain.retrain is retrain
    assert {name for name in edgeretrain.__all__ if getattr(edgeretrain, name) is None} == set()
    with pytest.raises(AttributeError, match="module 'edgeretrain' has no attribute 'train'"):
        _ = edgeretrain.train
