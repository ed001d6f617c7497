"""The client of one HTTP connection: the peer itself, or the client that a proxy in between reports."""

from wsecho.http.addresses import Address
from wsecho.http.request import Request
from wsecho.proxies.connections_per_address import ConnectionsPerAddress
from wsecho.proxies.proxy_header import ProxyHeader
from wsecho.proxies.trusted_proxies import TrustedProxies


class Client:
    """Finds out the client of a connection, and counts the connection for the client's address.

    The peer may be a trusted proxy, which sends requests of many clients. Then each request counts for its own client,
    while it lasts. `client_key` is the key that is counted now, empty if none is. It must be released, or handed over
    with the connection.
    """

    __slots__ = (
        "_adds_no_address",
        "_connections_per_address",
        "_is_encrypted",
        "_is_proxy",
        "_proxies",
        "client_key",
        "peer",
        "source",
    )

    def __init__(
        self,
        proxies: TrustedProxies,
        connections_per_address: ConnectionsPerAddress,
        peer: Address | None,
        header: ProxyHeader | None = None,
    ) -> None:
        """`peer` is the other end of the connection. `header` is given if connections begin with a PROXY header.

        The header names the `source`, which has connected to the peer. If it names none, it is not known who has
        written the header fields of the requests that follow, so they are not trusted.
        """
        self._proxies = proxies
        self._connections_per_address = connections_per_address
        self.peer = peer
        self.source = (header.source if header else None) or peer
        self._is_encrypted = header is not None and header.is_encrypted
        self._is_proxy = proxies.include(header.source) if header else proxies.include_peer(peer)
        self._adds_no_address = False
        self.client_key = "" if self._is_proxy else connections_per_address.add(self.source)

    @property
    def has_too_many(self) -> bool:
        """Whether the client has more connections than the limit. False for a proxy between two requests."""
        return self._connections_per_address.is_exceeded(self.client_key)

    @property
    def has_far_too_many(self) -> bool:
        """Whether the client has so many connections that this one is closed without a response."""
        return self._connections_per_address.is_far_exceeded(self.client_key)

    @property
    def log_fields(self) -> dict[str, Address | None]:
        """The log fields that name the peer and the client before there is a request."""
        return {"peer": self.peer} if self.source is self.peer else {"peer": self.peer, "client": self.source}

    def identify(self, request: Request) -> None:
        """Set the peer, the client, its key and the scheme of a request."""
        request.peer = self.peer
        request.client = self.source
        request.scheme = "https" if request.tls or self._is_encrypted else "http"
        if self._is_proxy:
            request.client, scheme = self._proxies.client_of(request, self.source)
            request.scheme = scheme or request.scheme
            self._adds_no_address = request.client is self.source
            self.client_key = self._connections_per_address.add(request.client)
        request.client_key = self.client_key

    def should_warn_about_proxy(self) -> bool:
        """Return whether the proxy added no address to the last request, and was not reported for that before."""
        return self._adds_no_address and self._proxies.is_first_report_of(self.source)

    def answered(self) -> None:
        """The request has ended: release a client behind a proxy."""
        if self._is_proxy:
            self.release()

    def release(self) -> None:
        """The connection has ended, or its request: count it no longer."""
        self._connections_per_address.remove(self.client_key)
        self.client_key = ""

    def hand_over(self) -> None:
        """Forget `client_key`: the WebSocket that took over the connection releases it."""
        self.client_key = ""
