"""Which web pages may connect, by their origin (RFC 6454, RFC 6455 section 10.2)."""

from ipaddress import ip_address

from wsecho.http.addresses import split_authority
from wsecho.http.origin import ANY, DEFAULT_PORTS, is_same_host, split_origin
from wsecho.http.request import Request

_MAX_SHOWN = 100


class Origins:
    """The origins of web pages that may connect. A client that sends no Origin is not a browser and is accepted."""

    def __init__(self, allowed: tuple[str, ...], *, needs_credentials: bool) -> None:
        """`allowed` are origins as `parse_origin` returns them. `needs_credentials`: the server requires them.

        If `allowed` is empty, all pages may connect, or, if the server requires credentials, only its own pages.
        """
        self._allowed = frozenset(allowed)
        # Whether all pages may connect, whatever their origin.
        self.include_all = ANY in allowed or not (allowed or needs_credentials)

    def refusal(self, request: Request) -> str:
        """Return one line that says why the origin of a handshake is refused; empty if it is accepted."""
        origins = request.values("origin")
        if self.include_all or not origins:
            return ""
        if len(origins) > 1:
            return "pages of this origin may not connect: Origin is given more than once"
        origin = origins[0]
        if self._allowed:
            is_named = origin in self._allowed
            return "" if is_named else f"pages of this origin may not connect: --allow-origin lacks {_shown(origin)}"
        if _is_own(origin, request.authority):
            return ""
        return (
            f"pages of this origin may not connect: Origin is {_shown(origin)}, Host is {_shown(request.authority)}: "
            "let the proxy keep Host, or use --allow-origin"
        )


def _is_own(origin: str, authority: str) -> bool:
    """Return whether a page was loaded from `authority`, the host and port that its request is for.

    The scheme is not compared, because the server does not know it behind a proxy that terminates TLS. For the same
    reason, if the port in `origin` is the default of its scheme, `authority` may have port 80, port 443 or no port.
    """
    page, requested = split_origin(origin), split_authority(authority.lower())
    if not page or not requested or page[0] not in DEFAULT_PORTS:
        return False
    default = DEFAULT_PORTS[page[0]]
    page_port, requested_port = default if page[2] is None else page[2], requested[1] or 0
    is_same_port = requested_port == page_port or (
        page_port == default and requested_port in (0, *DEFAULT_PORTS.values())
    )
    return is_same_port and is_same_host(page[1], requested[0])


def may_be_rebound(authority: str, own_name: str = "localhost") -> bool:
    """Return whether the host that a request is for could be a name in an attacker's DNS zone (DNS rebinding).

    The owner of a name can let it point to any address after a page was loaded from it. Browsers then treat the server
    at that address as the page's own. An IP address cannot be changed like this, nor can localhost (RFC 6761 section
    6.3); `own_name` is another name that is safe. A client that sends no host is not a browser.
    """
    requested = split_authority(authority.lower())
    host = requested[0].removesuffix(".") if requested else ""
    own_names = ("localhost", own_name.lower().removesuffix("."))
    if not authority or host in own_names or host.endswith(".localhost"):
        return False
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return True
    return False


def _shown(text: str) -> str:
    """Return what a peer sent in a form that a response may contain: short, and printable ASCII only."""
    is_harmless = len(text) <= _MAX_SHOWN and text.isascii() and text.isprintable()
    return text if is_harmless else ascii(text[:_MAX_SHOWN])
