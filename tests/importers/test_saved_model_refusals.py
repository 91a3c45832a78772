"""SavedModels that are not loaded: what reaches outside the network, and what is damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeretrain.data.scaling import Scaling
from edgeretrain.errors import EdgeretrainError
from importers.modules import opened, row, write_small

pytestmark = [pytest.mark.tensorflow, pytest.mark.usefixtures("own_cache")]


def spoil(folder: Path, change: Callable[[Any], None]) -> None:
    """Change a SavedModel's graph."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    saved = SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    change(saved.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())


def reads_a_file(features: Any) -> Any:
    import tensorflow as tf

    length = tf.strings.length(tf.io.read_file("secret"))
    return {"features": features + tf.cast(length, tf.float32)}


def writes_a_file(features: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.io.write_file("written", "evil")]):
        return {"features": tf.identity(features)}


def saves_a_checkpoint(features: Any) -> Any:
    import tensorflow as tf

    saved = tf.raw_ops.SaveV2(prefix="written", tensor_names=["a"], shape_and_slices=[""], tensors=[features])
    with tf.control_dependencies([saved]):
        return {"features": tf.identity(features)}


def runs_python(features: Any) -> Any:
    import tensorflow as tf

    return {"features": tf.ensure_shape(tf.py_function(lambda one: one, [features], tf.float32), (None, 8))}


def prints_to_a_file(features: Any) -> Any:
    import tensorflow as tf

    tf.print("evil", output_stream="file://written")
    return {"features": features}


def maps_a_file_into_memory(features: Any) -> Any:
    import tensorflow as tf

    return {"features": features + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=(8,), memory_region_name="secret")}


def compares_two_files(features: Any) -> Any:
    import tensorflow as tf

    lines, _ = tf.raw_ops.GenerateVocabRemapping(
        new_vocab_file="secret", old_vocab_file="guess", new_vocab_offset=0, num_new_vocab=8
    )
    return {"features": features + tf.cast(lines, tf.float32)}


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (reads_a_file, "ReadFile"),
        (maps_a_file_into_memory, "ImmutableConst"),
        (compares_two_files, "GenerateVocabRemapping"),
        (writes_a_file, "WriteFile"),
        (saves_a_checkpoint, "SaveV2"),
        (runs_python, "EagerPyFunc"),
        (prints_to_a_file, "PrintV2"),
    ],
)
def test_a_module_that_reaches_outside_is_not_loaded(
    tmp_path: Path, function: Callable[[Any], Any], operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tf = pytest.importorskip("tensorflow")
    monkeypatch.chdir(tmp_path)
    folder = write_small(tmp_path / "m", function=function)
    monkeypatch.setattr(tf.saved_model, "load", lambda *_: pytest.fail("it was loaded"))
    with pytest.raises(
        EdgeretrainError, match=rf"m: holds the operation {operation} .*which reaches outside the network"
    ):
        opened(folder, scaling=Scaling.between(0, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_table_that_is_read_from_a_file_when_it_is_loaded(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    (tmp_path / "words.txt").write_text("a\nb\n")
    index, string = tf.lookup.TextFileIndex, tf.string
    lines = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"), string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER
    )
    module = tf.Module()
    module.table = tf.lookup.StaticHashTable(lines, -1)
    tf.saved_model.save(module, str(tmp_path / "m"))
    with pytest.raises(EdgeretrainError, match="holds the operation InitializeTableFromTextFileV2"):
        opened(tmp_path / "m")


def test_an_operation_that_tensorflow_does_not_have(tmp_path: Path, session_module: Path) -> None:
    folder = write_small(tmp_path / "m")

    def rename(graph: Any) -> None:
        for function in graph.graph_def.library.function:
            for node in function.node_def:
                node.op = "MyRelu" if node.op == "Relu" else node.op

    spoil(folder, rename)
    with pytest.raises(EdgeretrainError, match=r"holds the operation MyRelu \(Relu\), which TensorFlow does not have"):
        opened(folder)

    def rename_node(graph: Any) -> None:
        for node in graph.graph_def.node:
            node.op = "MyRelu" if node.op == "Relu6" else node.op

    copy = shutil.copytree(session_module, tmp_path / "tf1")
    spoil(copy, rename_node)
    with pytest.raises(EdgeretrainError, match="MyRelu"):
        opened(copy)


def test_a_lambda_layer_of_keras_is_read_from_the_graph_only(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    layers = [
        tf.keras.layers.Lambda(lambda photos: tf.abs(photos) * 3.0),
        tf.keras.layers.Conv2D(8, 1),
        tf.keras.layers.GlobalAveragePooling2D(),
    ]
    model = tf.keras.Sequential([tf.keras.Input((32, 32, 3)), *layers])
    model.export(str(tmp_path / "m"), verbose=False)
    source = opened(tmp_path / "m", scaling=Scaling.between(-1, 1))
    expected = model(np.full((1, 32, 32, 3), -0.5, np.float32)).numpy()[0]
    np.testing.assert_allclose(row(source, -0.5), expected, rtol=1e-4, atol=1e-6)


def cut_graph_file(folder: Path) -> None:
    path = folder / "saved_model.pb"
    path.write_bytes(path.read_bytes()[:-100])


def empty_graph_file(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"")


def remove_variables(folder: Path) -> None:
    shutil.rmtree(folder / "variables")


def remove_values(folder: Path) -> None:
    (folder / "variables" / "variables.data-00000-of-00001").unlink()


def cut_values(folder: Path) -> None:
    path = folder / "variables" / "variables.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 10])


def cut_index(folder: Path) -> None:
    path = folder / "variables" / "variables.index"
    path.write_bytes(path.read_bytes()[:60])


@pytest.mark.parametrize("kind", ["tf1", "tf2"])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (cut_graph_file, "its saved_model.pb is damaged or cut off"),
        (empty_graph_file, "its saved_model.pb is empty"),
        (remove_variables, "its weights are missing"),
        (remove_values, "TensorFlow cannot load it"),
        (cut_values, "TensorFlow cannot load it"),
        (cut_index, "TensorFlow cannot load it"),
    ],
)
def test_damage_is_told(
    tmp_path: Path, session_module: Path, kind: str, damage: Callable[[Path], None], message: str
) -> None:
    folder = tmp_path / "m"
    shutil.copytree(session_module, folder) if kind == "tf1" else write_small(folder)
    damage(folder)
    with pytest.raises(EdgeretrainError, match=message) as caught:
        opened(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
