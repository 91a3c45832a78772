"""Where backbones come from: `store` finds them, `build` makes them from Keras' `weights` or an imported `Source`."""

from edgeretrain.backbone.artifact import Backbone, DamagedBackbone
from edgeretrain.backbone.store import (
    Listed,
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
    "Listed",
    "Status",
    "backbone_name",
    "find_backbone",
    "find_backbones",
    "list_backbones",
    "own_card",
    "own_names",
    "status",
]
