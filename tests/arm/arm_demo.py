"""What the userlands are given: photos, and models that this machine made of them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Demo:
    """The demo's photos and the run folder that this machine made of them."""

    photos: Path
    run: Path

    @property
    def some(self) -> list[Path]:
        """A dozen photos of all classes. PNG: versions of Pillow decode JPEG differently."""
        return sorted(self.photos.rglob("*.png"))[::12]

    @property
    def models(self) -> list[Path]:
        return sorted(self.run.glob("*.tflite"))
