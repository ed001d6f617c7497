"""Who is at the other end of one HTTP connection: a client, or a proxy with requests of many clients."""

from wsecho.addresses import Address
from wsecho.proxies import Proxies
from wsecho.request import Request
from wsecho.shares import Shares


class Caller:
    """Takes a share of the connections for a client; for a proxy, one for each of its requests as long as that lasts.

    `share` is what is taken now: it must be given back, or passed on with the connection.
    """

    __slots__ = ("_is_proxy", "_proxies", "_shares", "peer", "share", "source")

    def __init__(self, proxies: Proxies, shares: Shares, peer: Address | None, source: Address | None) -> None:
        """`peer` has connected to us, and `source` to `peer`, by its PROXY header; None where that does not say."""
        self._proxies = proxies
        self._shares = shares
        self.peer = peer
        self.source = source or peer
        self._is_proxy = proxies.have(source) if source else proxies.have_peer(peer)
        self.share = "" if self._is_proxy else shares.take(self.source)

    @property
    def is_one_too_many(self) -> bool:
        """Whether there are far too many connections of this client already: not even told so any more."""
        return self._shares.is_far_exceeded(self.share)

    @property
    def log_fields(self) -> dict[str, Address | None]:
        """What tells in the log who this is, before there is a request."""
        return {"peer": self.peer} if self.source is self.peer else {"peer": self.peer, "client": self.source}

    def identify(self, request: Request) -> None:
        """Write into a request who it comes from, and how."""
        request.peer = self.peer
        request.client = self.source
        request.scheme = "https" if request.tls else "http"
        if self._is_proxy:
            request.client, scheme = self._proxies.origin(request, self.source)
            request.scheme = scheme or request.scheme
            self.share = self._shares.take(request.client)
        request.share = self.share

    def answered(self) -> None:
        """The request is over."""
        if self._is_proxy:
            self.leave()

    def leave(self) -> None:
        """The connection is over."""
        self._shares.give_back(self.share)
        self.share = ""

    def pass_on(self) -> str:
        """Let somebody else give back what is taken."""
        share, self.share = self.share, ""
        return share
