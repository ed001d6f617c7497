"""A request as the routes see it, independent of the HTTP version."""

from dataclasses import dataclass, field
from typing import NamedTuple

from wsecho.http.addresses import Address


class TlsFacts(NamedTuple):
    """What client and server negotiated. `protocol` is from ALPN and `server_name` from SNI, None if not sent.

    `client_subject` is the subject of the client's verified certificate, None if none was requested.
    """

    version: str
    cipher: str
    protocol: str | None
    server_name: str | None
    client_subject: str | None


@dataclass(slots=True)
class Request:
    """The head of a request.

    `headers` are (name, value) pairs in the order and case in which they arrived, decoded as Latin-1 so that no byte is
    lost. `has_body` says that a body follows. `peer` is the address at the other end of the transport, beginning with
    host and port. `client` is the address of the client: `peer`, or an address behind it that trusted proxies report.
    `scheme` is the one that the client used. `tls` is None if the transport is not encrypted. `client_key` is the key
    that the client's connections are counted under, empty if they are not counted. `authority` is the host, perhaps
    with a port, that the request is for; it is the Host field unless another is given.
    """

    method: str
    target: str
    path: str
    query: str
    version: str
    headers: tuple[tuple[str, str], ...]
    keep_alive: bool = True
    has_body: bool = False
    peer: Address | None = None
    client: Address | None = None
    scheme: str = "http"
    tls: TlsFacts | None = None
    client_key: str = ""
    authority: str = ""
    _values: dict[str, list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._values = {}
        for name, value in self.headers:
            self._values.setdefault(name.lower(), []).append(value)
        self.authority = self.authority or self.value("host")

    def values(self, name: str) -> list[str]:
        """Return the values of all header fields called `name` (in lower case), in order."""
        return self._values.get(name, [])

    def value(self, name: str) -> str:
        """Return all values of `name` as one, joined by commas (RFC 9110 section 5.3); empty if it is absent."""
        return ", ".join(self._values.get(name, ()))

    def tokens(self, name: str) -> list[str]:
        """Return the comma-separated elements of `name`, without empty ones (RFC 9110 section 5.6.1)."""
        if not (values := self._values.get(name)):
            return []
        return [token for value in values for part in value.split(",") if (token := part.strip(" \t"))]

    def has_token(self, name: str, token: str) -> bool:
        """Return whether `token` (in lower case) is among the elements of `name`, ignoring their case."""
        value = ", ".join(self._values.get(name, ())).lower()
        # Most lists have one element.
        return value == token or token in [element.strip(" \t") for element in value.split(",")]
