"""One file from the network: to a temporary file, checked, then under its name; every failure in one line."""

from collections.abc import Callable
from pathlib import Path

from edgeretrain.errors import EdgeretrainError
from edgeretrain.files.atomic import partial_file
from edgeretrain.progress import Progress

_TIMEOUT = 60.0  # seconds without a byte


class NoConnection(EdgeretrainError):
    """The server cannot be reached: asking it for another file is of no use."""


def download(
    url: str, path: Path, *, step: str, fault: Callable[[Path], str | None], ways_out: str, progress: Progress
) -> None:
    """Fetch to a temporary file beside `path`, check it, give it its name; see `partial_file`.

    Args:
        step: what `progress` is told, in bytes; the total is 0 when the server does not say it.
        fault: looks at the fetched file and says what is wrong with it, or None.
        ways_out: ends the error message: what to do next.

    Raises:
        EdgeretrainError: the file cannot be had, whatever the reason; nothing is left behind. `NoConnection` when the
            server cannot be reached.
    """
    import http.client  # here: they are slow to import
    import urllib.error
    import urllib.request

    def failed(reason: str, kind: type[EdgeretrainError] = EdgeretrainError) -> EdgeretrainError:
        return kind(f"Downloading {url} failed: {reason}. {ways_out}")

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
            if reason := fault(temporary):
                raise failed(reason)
    except urllib.error.HTTPError as error:
        raise failed(f"the server answered {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise failed(f"no connection ({error.reason})", NoConnection) from error
    except (OSError, ValueError, http.client.HTTPException) as error:  # a broken connection, a full disk, no URL at all
        raise failed(str(error)) from error
