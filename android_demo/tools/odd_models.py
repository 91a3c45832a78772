"""Models that the Java reader must refuse, and some odd ones that it must read.

    python android_demo/tools/odd_models.py FOLDER/run/model.int8.tflite FOLDER/run/model.float32.tflite FOLDER/odd

Writes `<name>.tflite` and `refused.tsv`: a line for each model that must be refused, with a part of the message. The
weights are taken out, as a reader does not look at them: the files are small, and do not run.
"""

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from edgeretrain.tflite.flatbuffer import read_model, schema, write_model
from edgeretrain.tflite.metadata import METADATA_NAME
from edgeretrain.tflite.model import Model
from edgeretrain.tflite.package import pack, read_package

LARGEST_KEPT = 4096  # bytes; metadata is smaller, layers' weights are larger or do not matter


class Maker:
    """Variants of the two models."""

    def __init__(self, int8: Path, float32: Path, out: Path) -> None:
        self.paths = {"int8": int8, "float32": float32}
        self.package = read_package(int8)
        self.out = out
        self.refused: list[str] = []

    def light(self, precision: str = "int8") -> Any:
        """A `ModelT` without weights, fresh each time."""
        model = read_model(self.paths[precision])
        for buffer in model.buffers:
            if buffer.data is not None and len(buffer.data) > LARGEST_KEPT:
                buffer.data = buffer.data[:16]
        return model

    def packed(self, model: Any, **card: Any) -> bytes:
        """With labels and a card, the latter changed."""
        return pack(write_model(model), self.package.labels, {**self.package.card, **card})

    def write(self, name: str, data: bytes, refused: str = "") -> None:
        (self.out / f"{name}.tflite").write_bytes(data)
        if refused:
            self.refused.append(f"{name}.tflite\t{refused}\n")

    def write_all(self) -> None:
        self.out.mkdir(exist_ok=True)
        self.tensors()
        self.labels()
        self.cards()
        self.damage()
        (self.out / "refused.tsv").write_text("".join(self.refused), encoding="utf-8")

    def tensors(self) -> None:
        kinds = schema().TensorType
        shapes = {
            "gray": ([1, 224, 224, 1], "its input is uint8 [1, 224, 224, 1]"),
            "oblong": ([1, 224, 192, 3], "its input is uint8 [1, 224, 192, 3]"),
            "batch": ([2, 224, 224, 3], "its input is uint8 [2, 224, 224, 3]"),
            "flat": ([150528], "its input is uint8 [150528]"),
            "scalar": ([], "its input is uint8 []"),
            "zero-size": ([1, 0, 0, 3], "its input is uint8 [1, 0, 0, 3]"),
            "negative": ([1, -1, -1, 3], "its input is uint8 [1, -1, -1, 3]"),
            "nine": ([1] * 9, "has 9 dimensions"),
            "huge": ([1, 2**30, 2**30, 3], "its input is uint8 [1, 1073741824, 1073741824, 3]"),
        }
        for name, (shape, refused) in shapes.items():
            model = self.light()
            self.tensor(model, "inputs").shape = np.asarray(shape, np.int32)
            self.write(f"input-{name}", self.packed(model), refused)
        for name, shape, refused in (
            ("matrix", [3, 3], "its output is uint8 [3, 3]"),
            ("scalar", [], "its output is uint8 []"),
            ("empty", [1, 0], "its output is uint8 [1, 0]"),
            ("longer", [1, 4], "the model has 4 outputs but 3 labels"),
        ):
            model = self.light()
            self.tensor(model, "outputs").shape = np.asarray(shape, np.int32)
            self.write(f"output-{name}", self.packed(model), refused)
        for end in ("inputs", "outputs"):
            model = self.light()
            setattr(model.subgraphs[0], end, np.asarray([0, 1], np.int32))
            self.write(f"two-{end}", self.packed(model), f"the model has 2 {end}")
            setattr(model.subgraphs[0], end, np.asarray([], np.int32))
            self.write(f"no-{end}", self.packed(model), f"the model has 0 {end}")
            setattr(model.subgraphs[0], end, np.asarray([99999], np.int32))
            self.write(f"{end}-nowhere", self.packed(model), "damaged or cut off")
            setattr(model.subgraphs[0], end, np.asarray([-1], np.int32))
            self.write(f"{end}-none", self.packed(model), "damaged or cut off")
        model = self.light()
        self.tensor(model, "inputs").type = kinds.INT32
        self.write("input-int32", self.packed(model), "holds int32; float32, uint8 or int8 is needed")
        model = self.light()
        self.tensor(model, "outputs").quantization = None
        self.write("output-unquantized", self.packed(model), "its output is uint8 [1, 3] without a quantization")
        model = self.light()
        for end in ("inputs", "outputs"):
            tensor = self.tensor(model, end)
            tensor.type = kinds.INT8
            tensor.quantization.zeroPoint = tensor.quantization.zeroPoint - 128
        self.write("int8-ends", self.packed(model))
        model = self.light()
        model.subgraphs = []
        self.write("no-network", self.packed(model), "there is no network inside this file")

    def labels(self) -> None:
        bare = write_model(self.light())
        self.write("no-labels", bare, "there are no labels inside this file")
        self.write("more-labels", pack(bare, ("a", "b", "c", "d"), self.package.card), "3 outputs but 4 labels")
        self.write("odd-labels", pack(bare, ("", " b\tc", "Ünïcode \U0001f33b, quoted"), self.package.card))
        self.write("foreign", archive(bare, {"a.txt": b"no\nlabels", "labels.txt": b"x\r\ny\r\nz\r\n"}, deflate=True))
        nameless = self.light()
        nameless.metadata = None
        self.write("first-text", archive(write_model(nameless), {"z.txt": b"no", "b.txt": b"x\ny\nz", "a": b"no"}))
        self.write("latin", archive(bare, {"labels.txt": b"\xfc\nb\nc\n"}), "labels.txt is no UTF-8 text")
        texts = {"labels.txt": b"x\ny\nz\n"}
        silent = self.light("float32")
        silent.metadata = [entry for entry in silent.metadata if entry.name != METADATA_NAME.encode()]
        self.write(
            "float-without-metadata",
            archive(write_model(silent), texts),
            "nothing says how its photos must be prepared",
        )
        for name, mean, deviation, refused in (
            ("float-with-metadata", [127.5], [127.5], ""),
            ("float-three-means", [1.0, 2.0, 3.0], [4.0, 5.0, 6.0], ""),
            ("float-zero-deviation", [0.0], [0.0], "nothing says how its photos must be"),
        ):
            told = self.light("float32")
            Model(told).set_metadata(METADATA_NAME, normalization(mean, deviation))
            self.write(name, archive(write_model(told), texts), refused)

    def cards(self) -> None:
        self.write("rejects", self.packed(self.light(), reject_below=0.625))
        self.write("crops", self.packed(self.light(), fit="crop"))
        self.write("bare-card", pack(write_model(self.light()), self.package.labels, {"fit": "squash"}))
        self.write("fit-unknown", self.packed(self.light(), fit="pad"), "names no fit that this app knows ('pad')")
        self.write("fit-missing", pack(write_model(self.light()), self.package.labels, {}), "names no fit")
        self.write("rejects-finely", self.packed(self.light(), reject_below=0.62500001))
        for number, value in enumerate((-0.1, 1.1, "0.5", None)):
            self.write(f"rejects-oddly-{number}", self.packed(self.light(), reject_below=value))
        self.write("card-nan", self.packed(self.light(), reject_below=float("nan")), "no JSON object")
        flatbuffer = write_model(self.light())
        for name, card in (("list", b"[]"), ("cut", b'{"fit": "squ'), ("empty", b""), ("more", b"{} {}")):
            files = {"labels.txt": b"x\ny\nz\n", "edgeretrain.json": card}
            self.write(f"card-{name}", archive(flatbuffer, files), "edgeretrain.json: no JSON object")
        no_labels = archive(flatbuffer, {"edgeretrain.json": b'{"fit": "squash"}'})
        self.write("card-without-labels", no_labels, "damaged")

    def damage(self) -> None:
        whole = self.packed(self.light())
        self.write("whole", whole)
        flatbuffer = len(write_model(self.light()))
        self.write("empty", b"", "this is not a TFLite model")
        self.write("tiny", whole[:8], "damaged or cut off")
        self.write("other-file", b"\x89PNG\r\n\x1a\n" + bytes(1000), "this is not a TFLite model")
        self.write("cut-in-the-network", whole[: flatbuffer // 2], "opy")
        self.write("cut-behind-the-network", whole[:flatbuffer], "there are no labels inside this file")
        self.write("cut-in-the-archive", whole[:-10], "there are no labels inside this file")
        changed = bytearray(whole)
        changed[whole.index(b"probabilities")] ^= 32  # a letter of a tensor's name: only the checksum shows it
        self.write("changed", bytes(changed), "its checksum differs")
        changed = bytearray(whole)
        changed[flatbuffer + 30 + len("labels.txt")] ^= 1  # the first letter of the first label
        self.write("changed-label", bytes(changed), "the checksum of labels.txt differs")
        self.write("zeros", b"\x1c\0\0\0TFL3" + bytes(5000), "opy")

    def tensor(self, model: Any, end: str) -> Any:
        return model.subgraphs[0].tensors[getattr(model.subgraphs[0], end)[0]]


def archive(flatbuffer: bytes, files: dict[str, bytes], *, deflate: bool = False) -> bytes:
    """A model file with any files behind the flatbuffer."""
    file = io.BytesIO(flatbuffer)
    file.seek(0, io.SEEK_END)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def normalization(mean: list[float], deviation: list[float]) -> bytes:
    """TFLite metadata that says nothing but how the input is normalized."""
    builder = flatbuffers.Builder(256)

    def floats(values: list[float]) -> int:
        return int(builder.CreateNumpyVector(np.asarray(values, np.float32)))

    def table(slot: int, offset: int, kind: int = 0) -> int:
        builder.StartObject(10)
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        builder.PrependUint8Slot(0, kind, 0)
        return int(builder.EndObject())

    def one(offset: int) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())

    means, deviations = floats(mean), floats(deviation)
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(0, means, 0)
    builder.PrependUOffsetTRelativeSlot(1, deviations, 0)
    unit = table(1, int(builder.EndObject()), kind=1)  # ProcessUnit: NormalizationOptions
    photo = table(4, one(unit))  # TensorMetadata: process_units
    subgraph = table(2, one(photo))  # SubGraphMetadata: input_tensor_metadata
    builder.Finish(table(3, one(subgraph)), b"M001")  # ModelMetadata: subgraph_metadata
    return bytes(builder.Output())


if __name__ == "__main__":
    Maker(*(Path(argument) for argument in sys.argv[1:])).write_all()
