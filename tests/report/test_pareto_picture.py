import builtins
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgeretrain.errors import EdgeretrainError
from edgeretrain.report.pareto_picture import write_pareto_pictures
from edgeretrain.sweep.budget import Budget
from report.sweep_sample import make_sweep

TWO = ("mobilenet_v2_100_224", "mobilenet_v2_035_128")


@pytest.fixture
def matplotlib() -> Any:
    return pytest.importorskip("matplotlib", reason='needs pip install "edgeretrain[plot]"')


def panels(svg: str) -> int:
    return len(re.findall(r'<g id="axes_\d+">', svg))


def test_without_matplotlib_there_is_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_matplotlib(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_matplotlib)
    assert write_pareto_pictures(make_sweep(TWO), tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_two_files_and_the_same_bytes_whatever_the_users_settings(matplotlib: Any, tmp_path: Path) -> None:
    sweep = make_sweep(TWO, budget=Budget(max_size=3_000_000, min_accuracy=0.7))
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, size in zip(folders, (10, 30), strict=True):
        folder.mkdir()
        with matplotlib.rc_context({"font.size": size, "axes.facecolor": "red", "svg.fonttype": "none"}):
            assert write_pareto_pictures(sweep, folder) == [folder / "pareto.svg", folder / "pareto.png"]
        assert sorted(path.name for path in folder.iterdir()) == ["pareto.png", "pareto.svg"]
    assert panels((folders[0] / "pareto.svg").read_text(encoding="utf-8")) == 2
    for name in ("pareto.svg", "pareto.png"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_size_colours_and_no_trace_of_time_or_machine(matplotlib: Any, tmp_path: Path) -> None:
    svg, png = write_pareto_pictures(make_sweep(TWO, latency=False), tmp_path)
    image = Image.open(png)
    assert (image.size, image.info.get("Software")) == ((1600, 900), None)
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for colour, there in (((0x00, 0x72, 0xB2), True), ((0xD5, 0x5E, 0x00), False)):  # V2 and no V1
        assert bool((pixels == colour).all(axis=1).any()) == there
    text = svg.read_text(encoding="utf-8")
    assert panels(text) == 1  # no latency
    assert not re.search(r"<dc:date>|20\d\d-\d\d|Matplotlib v|<text|<image", text)


@pytest.mark.slow
def test_all_presets_and_texts_that_are_no_formulas(matplotlib: Any, tmp_path: Path) -> None:
    sweep = make_sweep()
    sweep["latency"]["where"] = r"ssh://$\bad{$"
    for candidate in sweep["candidates"][:8]:
        candidate.update(architecture="$new_", preset="$x^")
    assert len(write_pareto_pictures(sweep, tmp_path)) == 2


def test_no_models_no_picture(matplotlib: Any, tmp_path: Path) -> None:
    assert write_pareto_pictures(make_sweep([]), tmp_path) == []


def test_a_folder_that_is_not_there(matplotlib: Any, tmp_path: Path) -> None:
    with pytest.raises(EdgeretrainError, match=r"pareto\.svg: cannot be written"):
        write_pareto_pictures(make_sweep(TWO), tmp_path / "missing")
