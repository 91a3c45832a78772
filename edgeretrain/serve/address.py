"""The socket that the page listens on, and its URLs."""

import contextlib
import errno
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import quote

from edgeretrain.errors import EdgeretrainError

_BACKLOG = 64


@dataclass(frozen=True)
class Listening:
    """A socket that listens.

    Attributes:
        host: as the user gave it.
        port: the actual one, if 0 was asked for.
        loopback: whether only this machine can reach it.
    """

    socket: socket.socket
    host: str
    port: int
    loopback: bool

    def urls(self, token: str | None = None) -> list[str]:
        """URLs of the page: one for a loopback address, else by name and by number where they are known."""
        query = "" if token is None else f"?token={quote(token, safe='')}"
        return [f"http://{_bracketed(name)}:{self.port}/{query}" for name in self._names()]

    def _names(self) -> list[str]:
        address = ipaddress.ip_address(self.socket.getsockname()[0])
        if not address.is_unspecified:
            return [self.host]
        name = socket.gethostname()
        # Raspberry Pi OS and most desktops answer to their name with .local, through mDNS.
        names = [name if "." in name else f"{name}.local"]
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Connecting a UDP socket sends nothing; it only picks the address that would be used (RFC 5737 target).
            probe.connect(("192.0.2.1", 9))
            names.append(str(probe.getsockname()[0]))
        return names


def listen(host: str, port: int) -> Listening:
    """Listen on an address of this machine.

    Args:
        host: a name or an address; 0.0.0.0 for all of them, `::` for all of IPv6 as well.
        port: 0 for any free one.

    Raises:
        EdgeretrainError: it is not an address of this machine, or the port cannot be opened.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        both = address[0] == "::" and socket.has_dualstack_ipv6()
        opened = socket.create_server(
            (str(address[0]), port), family=family, backlog=_BACKLOG, dualstack_ipv6=family == socket.AF_INET6 and both
        )
    except (OSError, UnicodeError, IndexError) as error:
        raise EdgeretrainError(_why_not(host, port, error)) from None
    name = opened.getsockname()
    return Listening(opened, host, int(name[1]), ipaddress.ip_address(name[0].split("%")[0]).is_loopback)


def _why_not(host: str, port: int, error: Exception) -> str:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use by another program. Choose another one with --port, or end that program."
        )
    if code in (errno.EACCES, errno.EPERM):
        return f"No permission to open port {port}. Choose one from 1024 to 65535 with --port."
    return f"{host} is not an address of this machine. Use --host 127.0.0.1, 0.0.0.0 or one that `hostname -I` shows."


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name
