"""The metadata, read by slot number as the schema numbers its fields, with a reader that shares no code with ours."""

import shutil
import struct
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
from support.garden import Run

from edgeretrain.precision import PRECISIONS
from edgeretrain.tflite.flatbuffer import read_model
from edgeretrain.tflite.metadata import METADATA_NAME, build_metadata, read_normalization
from edgeretrain.tflite.model import Model
from edgeretrain.version import __version__


class Table:
    """A flatbuffer table: little-endian, a signed offset back to its vtable, unsigned offsets to what it holds."""

    def __init__(self, data: bytes, place: int) -> None:
        self.data = data
        self.place = place

    @classmethod
    def root(cls, data: bytes) -> "Table":
        return cls(data, struct.unpack_from("<I", data)[0])

    def slot(self, number: int) -> int:
        """Where the field of this number lies; 0 when the table has none."""
        vtable = self.place - struct.unpack_from("<i", self.data, self.place)[0]
        entry = 4 + 2 * number
        if entry >= struct.unpack_from("<H", self.data, vtable)[0]:
            return 0
        offset = struct.unpack_from("<H", self.data, vtable + entry)[0]
        return self.place + offset if offset else 0

    def follow(self, number: int) -> int:
        place = self.slot(number)
        assert place, f"field {number} is missing"
        return place + int(struct.unpack_from("<I", self.data, place)[0])

    def byte(self, number: int) -> int:
        place = self.slot(number)
        return self.data[place] if place else 0

    def raw(self, number: int) -> bytes:
        place = self.follow(number)
        return self.data[place + 4 : place + 4 + struct.unpack_from("<I", self.data, place)[0]]

    def text(self, number: int) -> str:
        return self.raw(number).decode()

    def table(self, number: int) -> "Table":
        return Table(self.data, self.follow(number))

    def tables(self, number: int) -> list["Table"]:
        if not self.slot(number):
            return []
        start = self.follow(number)
        places = range(start + 4, start + 4 + 4 * struct.unpack_from("<I", self.data, start)[0], 4)
        return [Table(self.data, place + struct.unpack_from("<I", self.data, place)[0]) for place in places]

    def floats(self, number: int) -> list[float]:
        place = self.follow(number)
        count = struct.unpack_from("<I", self.data, place)[0]
        return list(struct.unpack_from(f"<{count}f", self.data, place + 4))


def metadata_of(path: Path) -> bytes:
    """Model: buffers 4, metadata 6; Metadata: name 0, buffer 1; Buffer: data 0."""
    model = Table.root(path.read_bytes())
    (entry,) = [one for one in model.tables(6) if one.text(0) == "TFLITE_METADATA"]
    index = struct.unpack_from("<I", entry.data, entry.slot(1))[0]
    return model.tables(4)[index].raw(0)


@pytest.fixture(params=PRECISIONS)
def precision(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_every_field_that_readers_look_at(run: Run, precision: str) -> None:
    data = metadata_of(run.model(precision))
    assert data[4:8] == b"M001"
    root = Table.root(data)
    # ModelMetadata: name 0, description 1, version 2, subgraphs 3, author 4, license 5, files 6, min_parser_version 7
    assert root.text(0) == f"mobilenet_v2_100_224 {precision}"
    assert "3 classes" in root.text(1)
    assert (root.text(2), root.text(4), root.text(5)) == (__version__, "edgeretrain", "Apache-2.0")
    assert root.text(7) == "1.0.0"
    (card,) = root.tables(6)
    assert (card.text(0), card.byte(2)) == ("edgeretrain.json", 1)  # AssociatedFile: name 0, type 2: DESCRIPTIONS
    # SubGraphMetadata: inputs 2, outputs 3
    (graph,) = root.tables(3)
    (photo,), (probability,) = graph.tables(2), graph.tables(3)

    # TensorMetadata: name 0, description 1, content 3, process_units 4, stats 5, associated_files 6
    assert photo.text(0) == "photo"
    content = photo.table(3)
    assert content.byte(0) == 2  # content_properties_type: ImageProperties
    assert content.table(1).byte(0) == 1  # color_space: RGB
    units = photo.tables(4)
    if precision == "int8":
        assert units == []
    else:
        (unit,) = units
        assert unit.byte(0) == 1  # options_type: NormalizationOptions
        assert (unit.table(1).floats(0), unit.table(1).floats(1)) == ([0.0], [1.0])  # mean, std
    assert (photo.table(5).floats(0), photo.table(5).floats(1)) == ([255.0], [0.0])  # max, min

    assert probability.text(0) == "probability"
    assert probability.table(3).byte(0) == 1  # FeatureProperties
    assert (probability.table(5).floats(0), probability.table(5).floats(1)) == ([1.0], [0.0])
    (labels,) = probability.tables(6)
    assert (labels.text(0), labels.byte(2)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS


def test_the_files_it_names_are_in_the_archive(run: Run, precision: str) -> None:
    root = Table.root(metadata_of(run.model(precision)))
    named = [one.text(0) for one in root.tables(6)]
    named += [one.text(0) for one in root.tables(3)[0].tables(3)[0].tables(6)]
    with zipfile.ZipFile(run.model(precision)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(named) == ["edgeretrain.json", "labels.txt"]
        assert archive.read("labels.txt") == b"checks\ndots\nstripes\n"
        # Readers map the file into memory and point into it, so nothing may be compressed.
        assert {one.compress_type for one in archive.infolist()} == {zipfile.ZIP_STORED}


@pytest.mark.skipif(shutil.which("unzip") is None, reason="no unzip here")
def test_unzip_reads_it(run: Run, precision: str) -> None:
    listed = subprocess.run(["unzip", "-l", run.model(precision)], capture_output=True, text=True)
    assert "labels.txt" in listed.stdout and "edgeretrain.json" in listed.stdout
    labels = subprocess.run(["unzip", "-p", run.model(precision), "labels.txt"], capture_output=True)
    assert labels.stdout == (run.out / "labels.txt").read_bytes()


def test_any_text_survives() -> None:
    data = build_metadata("Größe 🌹", 'a "b"\n', float_input=True, licence="CC BY 4.0", version="9")
    root = Table.root(data)
    assert [root.text(slot) for slot in (0, 1, 2, 5)] == ["Größe 🌹", 'a "b"\n', "9", "CC BY 4.0"]


def test_metadata_that_was_there_is_replaced(run: Run) -> None:
    model = read_model(run.model("int8"))
    others = [entry.name for entry in model.metadata if entry.name != METADATA_NAME.encode()]
    Model(model).set_metadata(METADATA_NAME, b"new")
    names = [entry.name if isinstance(entry.name, str) else entry.name.decode() for entry in model.metadata]
    assert names == [*(name.decode() for name in others), METADATA_NAME]
    assert model.buffers[model.metadata[-1].buffer].data.tobytes() == b"new"


def normalized(mean: list[float], std: list[float]) -> bytes:
    """Metadata as ours is, with another mean and std: they are the only vectors of one float that holds 0 and 1."""
    data = build_metadata("a", "b", float_input=True, licence="MIT", version="1")
    unit = Table.root(data).tables(3)[0].tables(2)[0].tables(4)[0].table(1)
    changed = bytearray(data)
    for slot, values in ((0, mean), (1, std)):
        struct.pack_into(f"<I{len(values)}f", changed, unit.follow(slot), len(values), *values)
    return bytes(changed)


def test_our_normalization_is_read(run: Run, precision: str) -> None:
    expected = None if precision == "int8" else ((0.0,), (1.0,))
    assert read_normalization(metadata_of(run.model(precision))) == expected


def test_another_normalization_is_read() -> None:
    assert read_normalization(normalized([127.5], [127.5])) == ((127.5,), (127.5,))


@pytest.mark.parametrize(
    ("mean", "std"), [([0.0], [0.0]), ([0.0], [-1.0]), ([float("nan")], [1.0]), ([0.0], []), ([], [1.0])]
)
def test_a_normalization_that_cannot_be_is_none(mean: list[float], std: list[float]) -> None:
    assert read_normalization(normalized(mean, std)) is None


def test_damaged_metadata_says_nothing() -> None:
    data = build_metadata("a", "b", float_input=True, licence="MIT", version="1")
    assert [read_normalization(data[:length]) for length in range(8)] == [None] * 8
    random = np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(data)
        for place in random.integers(0, len(data), 3):
            damaged[place] = random.integers(256)
        found = read_normalization(bytes(damaged))
        assert found is None or min(found[1]) > 0
