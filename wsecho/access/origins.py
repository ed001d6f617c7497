"""Which pages of the web may connect (RFC 6454, RFC 6455 section 10.2)."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from wsecho.http.addresses import split_authority
from wsecho.http.request import Request

ANY = "*"
# What browsers send for pages that have no origin of their own: sandboxed ones, files (Firefox), files (Chromium).
_NAMED = ("null", "file://")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.\-]*)://([^\s/?#@,:*%<>\\^|\[\]\x00-\x1f\x7f]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_PORT = 65535
_MAX_SAID = 100
# The URL standard takes a host for an IPv4 address if its last label is a number, decimal or hexadecimal.
_ENDS_IN_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)\.?", re.ASCII)


def parse_origin(text: str) -> str:
    """Return an origin as browsers write it, `null`, `file://`, or `*`. Raises ValueError."""
    if text == ANY or text.lower() in _NAMED:
        return text.lower()
    match = _ORIGIN.fullmatch(text.lower())
    if not match or int(match[3] or 0) > _MAX_PORT:
        raise ValueError(f"{text!r} is neither an origin, such as https://example.com, nor null, file:// or *")
    scheme, host, port = match.groups()
    try:
        host = _as_browsers_write(scheme, host)
    except ValueError as error:
        raise ValueError(f"{text!r} is no origin that a browser sends: {error}") from None
    if port is None or int(port) == _DEFAULT_PORTS.get(scheme):
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{int(port)}"


def _as_browsers_write(scheme: str, host: str) -> str:
    """Return a host as the URL standard serializes it. Raises ValueError."""
    if host.startswith("["):
        return _bracketed(host)
    if scheme not in _DEFAULT_PORTS:
        if not host.isascii():
            raise ValueError("only names of http and https may be other than ASCII")
        return host
    host = host if host.isascii() else _punycode(host)
    if _ENDS_IN_NUMBER.fullmatch(host):
        return str(IPv4Address(host))
    return host


def _punycode(host: str) -> str:
    """Return a domain name as it is asked for in the DNS (UTS 46, as browsers apply it). Raises ValueError."""
    # Imported late: its tables are large, and few servers need them.
    from idna import IDNAError, uts46_remap

    try:
        labels = uts46_remap(host, std3_rules=False, transitional=False).split(".")
    except IDNAError as error:
        raise ValueError(str(error)) from None
    name = ".".join(label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in labels)
    if not _ORIGIN.fullmatch(f"http://{name}"):
        raise ValueError(f"{name!r} is no host")
    return name


def _bracketed(host: str) -> str:
    address = IPv6Address(host.strip("[]"))
    if mapped := address.ipv4_mapped:
        # Browsers write no dots here.
        high, low = divmod(int(mapped), 1 << 16)
        return f"[::ffff:{high:x}:{low:x}]"
    return f"[{address.compressed}]"


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
    page, asked = _ORIGIN.fullmatch(origin.lower()), split_authority(authority.lower())
    if not page or not asked or page[1] not in _DEFAULT_PORTS:
        return False
    default = _DEFAULT_PORTS[page[1]]
    page_port, asked_port = int(page[3] or default), asked[1] or 0
    is_same_port = asked_port == page_port or (page_port == default and asked_port in (0, *_DEFAULT_PORTS.values()))
    return is_same_port and _comparable(page[2]) == _comparable(asked[0])


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


def _comparable(host: str) -> str:
    """Return one form of a host for all ways to write it: IPv6 has many, and a name may end in a dot."""
    try:
        return _bracketed(host) if host.startswith("[") else host.removesuffix(".")
    except ValueError:
        return host


def _said(text: str) -> str:
    """Return what a peer has sent as an answer may repeat it: short, and nothing but printable ASCII."""
    is_harmless = len(text) <= _MAX_SAID and text.isascii() and text.isprintable()
    return text if is_harmless else ascii(text[:_MAX_SAID])
