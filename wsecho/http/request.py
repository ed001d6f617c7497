"""A request as the routes see it, whichever HTTP version carried it."""

from dataclasses import dataclass, field

from wsecho.http.addresses import Address


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What client and server agreed on. `protocol` is ALPN's, `server_name` is SNI's, None where the client sent none.

    `client_subject` names the owner of a certificate that was verified, None where none was asked for.
    """

    version: str
    cipher: str
    protocol: str | None
    server_name: str | None
    client_subject: str | None


@dataclass(slots=True)
class Request:
    """One request's head.

    `headers` are (name, value) pairs in the order and case they arrived in, decoded as Latin-1 so that no byte is lost.
    `has_body` tells that a body follows. `peer` is the address at the other end of the transport, (host, port) first;
    `client` is who the request comes from, the same or, by the word of trusted proxies, somebody behind it; `scheme` is
    the one that the client used. `tls` is None where the transport was not encrypted. `share` is what the client's
    connections are counted under, empty where they are not. `authority` is the host and perhaps port that was asked
    for: the Host field's where nothing else is given.
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
        """Return all values of `name` as one, joined by commas (RFC 9110 section 5.3); empty when it is absent."""
        return ", ".join(self._values.get(name, ()))

    def tokens(self, name: str) -> list[str]:
        """Return the comma-separated elements of `name`, empty ones left out (RFC 9110 section 5.6.1)."""
        values = self._values.get(name, ())
        return [token for value in values for part in value.split(",") if (token := part.strip(" \t"))]

    def has_token(self, name: str, token: str) -> bool:
        """Tell whether `token` (in lower case) is among the elements of `name`, in whichever case."""
        return token in map(str.lower, self.tokens(name))
