"""Softmax regression on bottlenecks: the layer that is trained."""
