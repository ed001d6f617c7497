"""The proxies that are trusted to report the client's address, and the client of a request according to them."""

from collections.abc import Sequence

from wsecho.http.addresses import Address, Network, parse_ip, parse_network
from wsecho.http.request import Request
from wsecho.proxies.forwarded import X_FORWARDED_FOR, hops

# Every peer is trusted as a proxy, and no other address is: there is exactly one proxy between a client and the server.
ANY_PEER = "*"
# The most proxies that are reported for adding no address: a load balancer in a cloud may have many addresses.
_MAX_REPORTED = 100


def parse_trusted(text: str) -> Network | str:
    """Return the network that `text` names, or `*`. Raises ValueError; its text is one line for the user."""
    return text if text == ANY_PEER else parse_network(text)


class TrustedProxies:
    """The trusted proxies. Only they are trusted, and each of them only about the client that connected to it."""

    def __init__(self, trusted: Sequence[Network | str] = (), field: str = X_FORWARDED_FOR) -> None:
        """`trusted` are results of `parse_trusted`. `field` is the header field in which the proxies report clients."""
        self._any_peer = ANY_PEER in trusted
        self._networks = [network for network in trusted if not isinstance(network, str)]
        self._field = field
        self._reported: set[str] = set()

    def include(self, reported: Address | None) -> bool:
        """Return whether a trusted proxy has the address, which another trusted proxy has reported."""
        if not self._networks or not reported:
            return False
        try:
            address = parse_ip(str(reported[0]))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def include_peer(self, peer: Address | None) -> bool:
        """Return whether the other end of a connection is a trusted proxy."""
        return self._any_peer or (bool(self._networks) and self.include(peer))

    def client_of(self, request: Request, proxy: Address | None) -> tuple[Address | None, str | None]:
        """Return the client of a request that the trusted `proxy` has forwarded, and the scheme, None if not reported.

        Each trusted proxy is believed about the hop before it. The first hop that is no trusted proxy is the client.
        """
        client, scheme = proxy, None
        for hop in hops(request, self._field):
            scheme = hop.scheme or scheme
            if hop.client is None:
                break
            client = hop.client
            if not self.include(client):
                break
        return client, scheme

    def is_first_report_of(self, proxy: Address | None) -> bool:
        """Return whether this is the first call for `proxy`, and not too many others were reported before."""
        host = str(proxy[0]) if proxy else ""
        is_first = host not in self._reported and len(self._reported) < _MAX_REPORTED
        if is_first:
            self._reported.add(host)
        return is_first
