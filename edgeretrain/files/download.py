"""One file from the network: to a temporary file, checked, then under its name; every failure in one line."""

from collections.abc import Callable
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import partial_file
from edgeretrain.progress import Progress

_TIMEOUT = 60.0  # seconds without a byte


class NoConnection(EdgeretrainError):
    """The server cannot be reached: asking it for another file is useless."""


def download(
    url: str, path: Path, *, step: str, validate: Callable[[Path], str | None], hint: str, progress: Progress
) -> None:
    """Download to a temporary file beside `path`, validate it, rename it; see `partial_file`.

    Args:
        step: name of the step for `progress`, which counts bytes; the total is 0 if the server does not send it.
        validate: checks the fetched file; returns what is wrong with it, or None.
        hint: ends the error message: what to do next.

    Raises:
        EdgeretrainError: the download failed, whatever the reason; nothing is left behind. `NoConnection`: the server
            cannot be reached.
    """
    import http.client  # here: they are slow to import
    import urllib.error
    import urllib.request

    def failed(reason: str, kind: type[EdgeretrainError] = EdgeretrainError) -> EdgeretrainError:
        return kind(f"Downloading {url} failed: {reason}. {hint}")

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(path) as temporary:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as response, temporary.open("wb") as file:
                expected = int(response.headers.get("Content-Length") or 0)
                received = 0
                while block := response.read(1 << 16):
                    file.write(block)
                    received += len(block)
                    progress(step, received, expected)
            if expected and received != expected:
                raise failed(f"it broke off after {received:,} of {expected:,} bytes")
            if reason := validate(temporary):
                raise failed(reason)
    except urllib.error.HTTPError as error:
        raise failed(f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise failed(f"no connection ({error.reason})", NoConnection) from error
    except (OSError, ValueError, http.client.HTTPException) as error:  # a broken connection, a full disk, no URL at all
        raise failed(str(error)) from error
