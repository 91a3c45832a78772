"""The .tflite file: running it, changing it, and looking inside.

What runs a file:

- `runtime`: LiteRT, tflite-runtime or TensorFlow behind one class, `Runner`; `Network`: one photo in, one vector out
- `quantized`: integers and the real numbers that they stand for
- `quiet`: what TensorFlow and the runtimes print is kept off the terminal

What reads and changes a file:

- `flatbuffer`: a file as a tree of objects, and back
- `model`: `Model` edits that tree: tensors, constants, operators, metadata
- `extract`: a part of a network as a file of its own
- `graft`, `ungraft`: append a head to a backbone; cut it off again
- `metadata`: describe a model to MediaPipe Tasks, ML Kit and the Task Library
- `package`: labels and card inside the file, read with nothing but the standard library
- `classifier_file`: all of these together: a finished classifier

What looks inside:

- `inspect`: what is in a file
- `cost`: what its layers cost
- `graph`: the network as operators on real numbers
- `to_tensorflow`: the same in TensorFlow
"""
