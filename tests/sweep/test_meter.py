from edgeretrain.sweep.meter import Meter


def test_percent_rise_to_100_whatever_the_presets_cost() -> None:
    told: list[tuple[str, int, int]] = []
    work = {"mobilenet_v1_025_128": 2, "mobilenet_v2_100_224": 2}
    meter = Meter(lambda *each: told.append(each), work)
    for preset in work:
        inner = meter.within(preset, ["float32", "int8"])
        for precision in ("float32", "int8"):
            for done in range(0, 101, 10):
                inner(f"Bottlenecks {preset} {precision}", done, 100)
            inner(f"Head {preset} {precision}", 1, 9)
        meter.finish(preset)
    percents = [done for _, done, _ in told]
    assert percents == sorted(set(percents))
    assert percents[-1] == 100
    assert {total for _, _, total in told} == {100}


def test_a_dear_preset_counts_for_more() -> None:
    told: list[int] = []
    meter = Meter(lambda _, done, __: told.append(done), {"mobilenet_v1_025_128": 4, "mobilenet_v1_100_224": 4})
    meter.finish("mobilenet_v1_025_128")
    assert told[-1] < 20
    meter.finish("mobilenet_v1_100_224")
    assert told[-1] == 100


def test_nothing_left_to_do_tells_nothing() -> None:
    told: list[int] = []
    Meter(lambda _, done, __: told.append(done), {})
    assert told == []
