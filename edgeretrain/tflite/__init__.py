"""The .tflite file: running it, appending a head to it, its metadata, and looking inside.

- `runtime`: LiteRT, tflite-runtime or TensorFlow behind one class
- `flatbuffer`: a file as a tree of objects, and back
- `graft`: append a head to a backbone
- `metadata`: describe a model to MediaPipe Tasks, ML Kit and the Task Library; labels and card inside the file
- `package`: read labels and card back, with nothing but the standard library
- `inspect`: what is in a file
"""
