"""TensorFlow graphs (`GraphDef`) as networks: the image input and the bottleneck found, the rest cut off.

A GraphDef is data: a list of named operations. Of those that the bottleneck needs only arithmetic is let through
(`arithmetic.py`): nothing from a graph reads or writes a file, runs Python, or loads a library.
"""

from edgeretrain.importers.graph.classifier import ClassifierHead
from edgeretrain.importers.graph.cut import BottleneckCandidate, CutGraph, cut_graph

__all__ = ["BottleneckCandidate", "ClassifierHead", "CutGraph", "cut_graph"]
