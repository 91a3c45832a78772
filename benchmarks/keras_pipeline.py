"""The usual way, to measure ours against: Keras `predict`, `Dense` fit, one TFLiteConverter call per precision.

    python benchmarks/keras_pipeline.py PHOTOS OUT float32 int8

Prints one JSON line: photos, seconds of the bottleneck phase, models written. `benchmarks/speed.py` runs it.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

SIZE = 224
EPOCHS = 50
CALIBRATION_PHOTOS = 100


def main() -> None:
    photos, out, precisions = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    data = tf.keras.utils.image_dataset_from_directory(
        photos, image_size=(SIZE, SIZE), batch_size=32, shuffle=False, verbose=False
    )
    labels = np.concatenate([batch.numpy() for _, batch in data])
    backbone = tf.keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), include_top=False, pooling="avg", weights=os.environ.get("KERAS_WEIGHTS") or None
    )
    scaled = data.map(lambda images, _: images / 127.5 - 1).prefetch(tf.data.AUTOTUNE)
    start = time.perf_counter()
    bottlenecks = backbone.predict(scaled, verbose=0)
    seconds = time.perf_counter() - start
    head = tf.keras.Sequential([tf.keras.layers.Dense(int(labels.max()) + 1, activation="softmax")])
    head.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    head.fit(bottlenecks, labels, epochs=EPOCHS, batch_size=32, validation_split=0.1, verbose=0)
    image = tf.keras.Input((SIZE, SIZE, 3))
    model = tf.keras.Model(image, head(backbone(image / 127.5 - 1)))

    def representative_dataset() -> Iterator[list[tf.Tensor]]:
        for images, _ in data.unbatch().batch(1).shuffle(1000, seed=0).take(CALIBRATION_PHOTOS):
            yield [images]

    out.mkdir(parents=True, exist_ok=True)
    for precision in precisions:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if precision == "int8":
            converter.representative_dataset = representative_dataset
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.uint8
        (out / f"{precision}.tflite").write_bytes(converter.convert())
    print(json.dumps({"photos": len(labels), "bottleneck_seconds": seconds, "models": precisions}))


main()
