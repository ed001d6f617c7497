"""Which pages of the web may connect (RFC 6454, RFC 6455 section 10.2)."""

import re

from wsecho.request import Request

ANY = "*"
# What browsers send: scheme, host, and the port unless it is the scheme's own.
_ORIGIN = re.compile(r"([a-z][a-z0-9+.\-]*)://([^\s/?#@,:*\[\]]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it, or `*`. Raises ValueError."""
    if text == ANY:
        return text
    match = _ORIGIN.fullmatch(text.lower())
    if not match:
        raise ValueError(f"{text!r} is neither an origin, such as https://example.com, nor *")
    scheme, host, port = match.groups()
    return f"{scheme}://{host}:{port}" if port and port != _DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}"


class Origins:
    """The rule about pages. Who sends no Origin is no browser, and is not its business."""

    def __init__(self, allowed: tuple[str, ...], *, guarded: bool) -> None:
        """`allowed` are origins as `parse_origin` returns them.

        Without any, all pages may connect, or, if the server is `guarded` by credentials, those that it serves itself.
        """
        self._allowed = frozenset(allowed)
        self._guarded = guarded

    def allow(self, request: Request) -> bool:
        """Tell whether a handshake may come from where it says it does."""
        origins = request.values("origin")
        if not origins or ANY in self._allowed or not (self._allowed or self._guarded):
            return True
        if len(origins) > 1:
            return False
        return origins[0] in self._allowed if self._allowed else _is_own(origins[0], request.value("host"))


def _is_own(origin: str, host: str) -> bool:
    # The scheme is not compared: behind a proxy that ends TLS we do not know it.
    return bool(host) and origin.partition("://")[2] == host.lower()
