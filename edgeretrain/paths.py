"""The folders that edgeretrain keeps things in."""

import os
from pathlib import Path


def bundled_folder() -> Path:
    """The backbones that come with edgeretrain: `_models` in an installed package, `models` in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "_models"
    return installed if installed.is_dir() else package.parent / "models"


def cache_folder() -> Path:
    """EDGERETRAIN_CACHE, or the platform's cache folder of this user."""
    given = os.environ.get("EDGERETRAIN_CACHE")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("edgeretrain")


def backbone_cache() -> Path:
    """The folder of backbones that were built on this machine."""
    return cache_folder() / "backbones"


def weights_cache() -> Path:
    """The folder of downloaded weights."""
    return cache_folder() / "weights"
