"""Who may see the page: the token, the cookie derived from it, and what else a request must have."""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from edgeretrain.errors import EdgeretrainError

SHORTEST_TOKEN = 12
"""Characters of a token that a user chooses."""

OWN_HEADER = "x-edgeretrain"
"""Our page's script sends it with every request. A page from elsewhere cannot, unless we allowed it (CORS), and we do
not."""

_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_COOKIE_SECONDS = 400 * 86_400  # the most that browsers grant


def new_token() -> str:
    """A token of 128 random bits."""
    return secrets.token_urlsafe(16)


def check_token(token: str) -> str:
    """The token, if it can be used as one.

    Raises:
        EdgeretrainError: it is too short, or has characters that do not survive a URL, a header and a shell.
    """
    if len(token) < SHORTEST_TOKEN or not all("!" <= character <= "~" for character in token):
        raise EdgeretrainError(
            f"The token must have {SHORTEST_TOKEN} characters or more: ASCII letters, digits and punctuation, no "
            "spaces. Leave it out to get a new one."
        )
    return token


class Guard:
    """Decides about requests.

    With a token, every request needs it: once in the URL, afterwards as a cookie that is derived from it, so that the
    token itself is not shown to other services of the same host. Without one (loopback only), the Host header must name
    this machine: that refuses pages whose name was pointed here (DNS rebinding). Requests that change something must
    come from our own page (CSRF).
    """

    def __init__(self, token: str | None, *, host: str, port: int) -> None:
        """Take the token, or None for none.

        Args:
            host: address that the server listens on.
            port: part of the cookie's name, as cookies are shared by the ports of a host.
        """
        self._token = None if token is None else token.encode()
        self._names = _LOOPBACK_NAMES | {host.lower()}
        self.cookie_name = f"edgeretrain-{port}"
        self._cookie = (
            b"" if token is None else hmac.digest(token.encode(), b"edgeretrain serve", hashlib.sha256).hex().encode()
        )

    @property
    def cookie(self) -> str:
        """The Set-Cookie header for a browser that has shown the token."""
        return (
            f"{self.cookie_name}={self._cookie.decode()}; HttpOnly; SameSite=Strict; Path=/; Max-Age={_COOKIE_SECONDS}"
        )

    def host_allowed(self, host: str) -> bool:
        """Whether a request with this Host header is meant for us."""
        if self._token is not None:  # under another name, a browser has no cookie for us
            return True
        try:
            return urlsplit(f"//{host}").hostname in self._names
        except ValueError:
            return False

    def token_right(self, shown: str) -> bool:
        """Whether this is the token, compared in constant time."""
        return self._token is not None and hmac.compare_digest(shown.encode(errors="replace"), self._token)

    def cookie_right(self, cookies: Mapping[str, str]) -> bool:
        """Whether ours is among the request's cookies, or none is needed."""
        if self._token is None:
            return True
        return hmac.compare_digest(cookies.get(self.cookie_name, "").encode(errors="replace"), self._cookie)

    def from_own_page(self, headers: Mapping[str, str]) -> bool:
        """Whether our own page's script made this request, by its headers (names in lower case)."""
        if OWN_HEADER not in headers or headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc == headers.get("host")
