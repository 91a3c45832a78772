"""Files that are there whole or not at all."""

import contextlib
import uuid
from pathlib import Path

from edgeretrain.errors import EdgeretrainError


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a file under a temporary name beside it, then give it its name; text is UTF-8 with plain newlines.

    Raises:
        EdgeretrainError: it cannot be written; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except OSError as error:
        raise EdgeretrainError(
            f"{path}: cannot be written ({error.strerror or error}). Choose another place."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
