"""Backbones: `store` finds them, `build` makes them from a preset's `weights` or from what `importers` opens."""

from edgeretrain.backbone.artifact import Backbone, DamagedBackbone
from edgeretrain.backbone.store import (
    ListedBackbone,
    Status,
    backbone_name,
    find_backbone,
    find_backbones,
    list_backbones,
    own_card,
    own_names,
    status,
)

__all__ = [
    "Backbone",
    "DamagedBackbone",
    "ListedBackbone",
    "Status",
    "backbone_name",
    "find_backbone",
    "find_backbones",
    "list_backbones",
    "own_card",
    "own_names",
    "status",
]
