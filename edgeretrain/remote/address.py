"""`ssh://[user@]host[:port]`: read strictly, because its parts become arguments of ssh."""

import ipaddress
import re
from dataclasses import dataclass

from edgeretrain.errors import EdgeretrainError

# No leading "-": ssh would take it for an option. No characters that a shell or ssh's own `%h` could make something of.
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SCOPE = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True)
class Address:
    """Where a device is. What is None is left to the user's ssh config.

    Attributes:
        host: a name, an alias of the user's ssh config, or an IP address, IPv6 without brackets.
    """

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"ssh://{f'{self.user}@' if self.user else ''}{host}{f':{self.port}' if self.port else ''}"

    @property
    def command(self) -> str:
        """What the user types to log in there by hand."""
        port = f"-p {self.port} " if self.port else ""
        return f"ssh {port}{f'{self.user}@' if self.user else ''}{self.host}"


def parse_address(device: str) -> Address:
    """Read `ssh://[user@]host[:port]`; IPv6 addresses stand in brackets.

    Raises:
        EdgeretrainError: it is anything else.
    """

    def refused(reason: str) -> EdgeretrainError:
        return EdgeretrainError(f"{device!r} is no device: {reason}. Write it as ssh://pi@raspberrypi.local.")

    scheme, separator, rest = device.partition("://")
    if not separator or scheme.lower() != "ssh":
        raise refused("it does not begin with ssh://")
    user, at, place = rest.removesuffix("/").rpartition("@")
    if ":" in user:
        raise refused("a password does not belong there; copy your key to the device with ssh-copy-id")
    if at and not _USER.fullmatch(user):
        raise refused(f"{user!r} is no user name")
    if place.startswith("["):
        host, bracket, port = place[1:].partition("]")
        if not bracket or not _is_ipv6(host) or (port and not port.startswith(":")):
            raise refused(f"{place!r} is no IPv6 address in brackets")
        colon, port = port[:1], port[1:]
    else:
        host, colon, port = place.partition(":")
        if ":" in port:
            raise refused("an IPv6 address stands in brackets, as in ssh://pi@[fe80::1]")
        if not _HOST.fullmatch(host):
            raise refused(f"{host!r} is no host name")
    if colon and not (re.fullmatch(r"[0-9]{1,5}", port) and 0 < int(port) < 65536):
        raise refused(f"{port!r} is no port")
    return Address(host, user or None, int(port) if colon else None)


def _is_ipv6(host: str) -> bool:
    address, percent, scope = host.partition("%")
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return False
    return not percent or _SCOPE.fullmatch(scope) is not None
