"""What TensorFlow's label_image example for Python does, written anew as the yardstick of classify.py.

    python benchmarks/label_image.py MODEL LABELS PHOTO

Imports TensorFlow, loads the model with `tf.lite.Interpreter`, resizes the photo with Pillow, scales it for a float
model by mean and standard deviation, runs once, prints the five most probable labels and the time. Of our models the
mean is 0 and the standard deviation 1.
"""

import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

MEAN, STD = 0.0, 1.0


def main(model: str, labels_file: str, photo: str) -> None:
    interpreter = tf.lite.Interpreter(model_path=model, num_threads=None)
    interpreter.allocate_tensors()
    details, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    height, width = details["shape"][1:3]
    pixels = np.expand_dims(np.asarray(Image.open(photo).resize((width, height))), axis=0)
    if details["dtype"] == np.float32:
        pixels = (pixels.astype(np.float32) - MEAN) / STD
    interpreter.set_tensor(details["index"], pixels)
    start = time.time()
    interpreter.invoke()
    seconds = time.time() - start
    scores = np.squeeze(interpreter.get_tensor(output["index"]))
    labels = Path(labels_file).read_text().splitlines()
    for index in scores.argsort()[-5:][::-1]:
        score = float(scores[index]) if details["dtype"] == np.float32 else float(scores[index] / 255)
        print(f"{score:08.6f}: {labels[index]}")
    print(f"time: {1000 * seconds:.3f}ms")


if __name__ == "__main__":
    main(*sys.argv[1:])
