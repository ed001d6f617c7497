"""Which pages of the web may connect (RFC 6454, RFC 6455 section 10.2)."""

from ipaddress import ip_address

from wsecho.http.addresses import split_authority
from wsecho.http.origin import ANY, DEFAULT_PORTS, is_same_host, split_origin
from wsecho.http.request import Request

_MAX_SAID = 100


class Origins:
    """The rule about pages. Who sends no Origin is no browser, and is not its business."""

    def __init__(self, allowed: tuple[str, ...], *, guarded: bool) -> None:
        """`allowed` are origins as `parse_origin` returns them.

        Without any, all pages may connect, or, if the server is `guarded` by credentials, those that it serves itself.
        """
        self._allowed = frozenset(allowed)
        self._guarded = guarded

    def refusal(self, request: Request) -> str:
        """Return, in a line, why a handshake may not come from where it says it does; empty if it may."""
        origins = request.values("origin")
        if not origins or ANY in self._allowed or not (self._allowed or self._guarded):
            return ""
        if len(origins) > 1:
            return "pages of this origin may not connect: Origin is given more than once"
        origin = origins[0]
        if self._allowed:
            is_named = origin in self._allowed
            return "" if is_named else f"pages of this origin may not connect: --allow-origin lacks {_said(origin)}"
        if _is_own(origin, request.authority):
            return ""
        return (
            f"pages of this origin may not connect: Origin is {_said(origin)}, Host is {_said(request.authority)}: "
            "let the proxy keep Host, or use --allow-origin"
        )


def _is_own(origin: str, authority: str) -> bool:
    """Tell whether a page was loaded from the host and port that a request asks for.

    The scheme is not compared: behind a proxy that ends TLS we do not know it. For the same reason no port, 80 and 443
    are one and the same in `authority`, if it is the default one in `origin`.
    """
    page, asked = split_origin(origin), split_authority(authority.lower())
    if not page or not asked or page[0] not in DEFAULT_PORTS:
        return False
    default = DEFAULT_PORTS[page[0]]
    page_port, asked_port = page[2] or default, asked[1] or 0
    is_same_port = asked_port == page_port or (page_port == default and asked_port in (0, *DEFAULT_PORTS.values()))
    return is_same_port and is_same_host(page[1], asked[0])


def may_be_rebound(authority: str, own_name: str = "localhost") -> bool:
    """Tell whether a page could have come by the host that a request asks for, which may also be `own_name`.

    Whoever owns a name can make it lead to any address after the page was loaded (DNS rebinding), and browsers then
    take what is there for the page's own. An address leads nowhere else, nor does localhost (RFC 6761 section 6.3). Who
    names no host is no browser.
    """
    asked = split_authority(authority.lower())
    host = asked[0].removesuffix(".") if asked else ""
    own_names = ("localhost", own_name.lower().removesuffix("."))
    if not authority or host in own_names or host.endswith(".localhost"):
        return False
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


def _said(text: str) -> str:
    """Return what a peer has sent as an answer may repeat it: short, and nothing but printable ASCII."""
    is_harmless = len(text) <= _MAX_SAID and text.isascii() and text.isprintable()
    return text if is_harmless else ascii(text[:_MAX_SAID])
