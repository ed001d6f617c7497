"""Who is at the other end of one HTTP connection: a client, or a proxy with requests of many clients."""

from wsecho.http.addresses import Address
from wsecho.http.request import Request
from wsecho.proxies.connections_per_address import ConnectionsPerAddress
from wsecho.proxies.proxy_header import ProxyHeader
from wsecho.proxies.trusted_proxies import TrustedProxies


class Client:
    """Takes a share of the connections for a client; for a proxy, one for each of its requests as long as that lasts.

    `share` is what is taken now: it must be given back, or passed on with the connection.
    """

    __slots__ = (
        "_connections_per_address",
        "_is_encrypted",
        "_is_proxy",
        "_is_silent",
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
        """`peer` has connected to us and, where connections begin with a PROXY `header`, somebody to it, as that says.

        Where that does not say who, nobody knows whose header fields follow: they are not the proxy's word.
        """
        self._proxies = proxies
        self._connections_per_address = connections_per_address
        self.peer = peer
        self.source = (header.source if header else None) or peer
        self._is_encrypted = header is not None and header.is_encrypted
        self._is_proxy = proxies.have(header.source) if header else proxies.have_peer(peer)
        self._is_silent = False
        self.client_key = "" if self._is_proxy else connections_per_address.take(self.source)

    @property
    def has_too_many(self) -> bool:
        """Whether this client has more connections than it may. A proxy between two requests is no client."""
        return self._connections_per_address.is_exceeded(self.client_key)

    @property
    def has_far_too_many(self) -> bool:
        """Whether it has so many that it is not even told so."""
        return self._connections_per_address.is_far_exceeded(self.client_key)

    @property
    def log_fields(self) -> dict[str, Address | None]:
        """What tells in the log who this is, before there is a request."""
        return {"peer": self.peer} if self.source is self.peer else {"peer": self.peer, "client": self.source}

    def identify(self, request: Request) -> None:
        """Write into a request who it comes from, and how."""
        request.peer = self.peer
        request.client = self.source
        request.scheme = "https" if request.tls or self._is_encrypted else "http"
        if self._is_proxy:
            request.client, scheme = self._proxies.origin(request, self.source)
            request.scheme = scheme or request.scheme
            self._is_silent = request.client is self.source
            self.client_key = self._connections_per_address.take(request.client)
        request.client_key = self.client_key

    def tells_of_silence(self) -> bool:
        """Tell whether the proxy added no address to the last request, and this has not been told of it before."""
        return self._is_silent and self._proxies.is_news_of(self.source)

    def answered(self) -> None:
        """The request is over."""
        if self._is_proxy:
            self.leave()

    def leave(self) -> None:
        """The connection is over."""
        self._connections_per_address.remove(self.client_key)
        self.client_key = ""

    def passed_on(self) -> None:
        """Somebody else gives back what is taken."""
        self.client_key = ""
