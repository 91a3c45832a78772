"""What the SOURCEs of `edgeretrain classify` are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgeretrain.data.walk import is_photo_name
from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.describe import printable
from edgeretrain.stream.camera import parse_camera
from edgeretrain.stream.video import is_video
from edgeretrain.stream.watch import photos_below


@dataclass(frozen=True)
class Photos:
    """Photos, also from folders."""

    paths: list[Path]


@dataclass(frozen=True)
class Watched:
    """A folder to watch for new photos."""

    folder: Path


@dataclass(frozen=True)
class Video:
    """A video file."""

    path: Path


@dataclass(frozen=True)
class Camera:
    """A camera: its number, or the path of its device."""

    device: int | str


Source = Photos | Watched | Video | Camera

# option -> the sources it applies to, also in words
_APPLIES_TO: dict[str, tuple[tuple[type, ...], str]] = {
    "--smooth": ((Camera, Video), "a camera or a video"),
    "--hold": ((Camera, Video), "a camera or a video"),
    "--max-fps": ((Camera,), "a camera"),
    "--every": ((Video,), "a video"),
    "--on-label": ((Camera, Video, Watched), "a camera, a video or --watch"),
}


def parse_sources(sources: Sequence[str], watch: bool, options: Sequence[str]) -> Source:
    """The SOURCE arguments of the command line -> what to classify.

    Args:
        options: those of `_APPLIES_TO` that were given.

    Raises:
        EdgeretrainError: a stream together with something else, a folder without photos, no such source, or an option
            that applies to another kind of source.
    """
    source = _source(sources, watch)
    for option in options:
        kinds, description = _APPLIES_TO[option]
        if not isinstance(source, kinds):
            raise EdgeretrainError(f"{option} is for {description}, not for {' '.join(map(printable, sources))}.")
    return source


def _source(sources: Sequence[str], watch: bool) -> Source:
    paths = [Path(source) for source in sources]
    streams = [name for name in sources if parse_camera(name) is not None or is_video(Path(name))]
    if watch:
        if len(paths) == 1 and paths[0].is_dir():
            return Watched(paths[0])
        raise EdgeretrainError(f"--watch needs one folder, not {' '.join(map(printable, sources))}.")
    if streams and len(sources) > 1:
        raise EdgeretrainError(
            f"{printable(streams[0])} is a stream, and a stream must be the only source. Run the others separately."
        )
    if streams:
        device = parse_camera(sources[0])
        return Video(paths[0]) if device is None else Camera(device)
    photos: list[Path] = []
    for path in paths:
        if path.is_dir():
            photos += photos_below(path)
        elif not path.exists() and not is_photo_name(path):
            raise EdgeretrainError(
                f"{printable(path)}: there is no such photo, folder or video. For a camera, write `camera`, or "
                "`camera:1` for the second one."
            )
        else:
            photos.append(path)
    return Photos(photos)
