"""Where backbones come from: `store` finds them, `build` makes them, `weights` fetches their weights."""

from edgeretrain.backbone.artifact import Backbone, DamagedBackbone
from edgeretrain.backbone.store import (
    Listed,
    Status,
    backbone_cache,
    bundled_folder,
    cache_folder,
    find_backbone,
    find_backbones,
    list_backbones,
    status,
)

__all__ = [
    "Backbone",
    "DamagedBackbone",
    "Listed",
    "Status",
    "backbone_cache",
    "bundled_folder",
    "cache_folder",
    "find_backbone",
    "find_backbones",
    "list_backbones",
    "status",
]
