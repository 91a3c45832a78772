"""Networks of other people's -> backbones, and finished classifiers -> models. Needs TensorFlow."""
