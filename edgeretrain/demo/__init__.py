"""The photos of `edgeretrain demo`."""

from edgeretrain.demo.flowers import fetch_flowers
from edgeretrain.demo.surfaces import make_surfaces

__all__ = ["fetch_flowers", "make_surfaces"]
