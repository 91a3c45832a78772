"""Other networks -> backbones, and finished classifiers -> models. Needs TensorFlow."""
