"""`edgeretrain presets`."""

import json
from pathlib import Path

import pytest
from support.own_backbone import put_own_backbone

from cli.conftest import Run
from edgeretrain.backbone.presets import PRESETS


def test_the_table_has_every_preset(cli: Run) -> None:
    lines = cli("presets").succeeds().out.splitlines()
    assert [
        name for line in lines if (name := line.split()[0]).startswith(("mobilenet", "nasnet", "inception"))
    ] == list(PRESETS)
    (default,) = (line for line in lines if line.startswith("mobilenet_v2_100_224 "))
    assert default.split()[1:5] == ["300", "3.47", "71.8", "1280"]
    assert "bundled" in default


def test_json(cli: Run) -> None:
    rows = {row["name"]: row for row in json.loads(cli("presets", "--json").succeeds().out)}
    assert list(rows) == list(PRESETS)
    assert set(rows["mobilenet_v2_100_224"]["backbones"].values()) == {"bundled"}
    assert rows["mobilenet_v1_100_224"]["backbones"]["float32"] == "bundled"
    assert rows["nasnet_mobile"]["bottleneck"] == 1056


def test_a_pattern(cli: Run) -> None:
    rows = json.loads(cli("presets", "*_128", "--json").succeeds().out)
    assert len(rows) == 8
    assert all(row["resolution"] == 128 for row in rows)
    rows = json.loads(cli("presets", "*_128_logits", "--json").succeeds().out)
    assert [row["bottleneck"] for row in rows] == [1000] * 4


@pytest.mark.parametrize("key", ["macs", "parameters", "top1", "resolution", "bottleneck", "name", "alpha"])
def test_sorted(key: str, cli: Run) -> None:
    values = [row[key] for row in json.loads(cli("presets", "--json", "--sort", key).succeeds().out)]
    assert values == sorted(values)
    rows = json.loads(cli("presets", "--json", "--sort", key, "--descending").succeeds().out)
    assert [row[key] for row in rows] == values[::-1]


def test_nothing_matches(cli: Run) -> None:
    cli("presets", "resnet*").fails("No preset matches 'resnet*'", "`edgeretrain presets` lists all 40")
    cli("presets", "--sort", "price").fails("'--sort': 'price' is not one of 'name', ", "'macs'")


def test_backbones_of_ones_own_come_last(cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGERETRAIN_CACHE", str(tmp_path))
    put_own_backbone()
    told = "my_net: your own, 224 x 224, 1280 numbers, from net.keras; int8"
    assert cli("presets").succeeds().out.splitlines()[-1] == told
    assert cli("presets", "my_*").succeeds().out == f"{told}\n"
    row = json.loads(cli("presets", "--json", "--sort", "macs").succeeds().out)[-1]
    assert (row["name"], row["architecture"], row["resolution"], row["macs"]) == ("my_net", "theirs", 224, None)
    assert row["backbones"]["int8"] == "cached"
    (tmp_path / "backbones" / "my_net.int8.json").write_text("{")
    assert "my_net: your own, damaged card" in cli("presets", "my_net").succeeds().out
