"""The proxies whose word is taken, and who a request comes from by their word."""

from collections.abc import Sequence

from wsecho.http.addresses import Address, Network, parse_ip, parse_network
from wsecho.http.request import Request
from wsecho.proxies.forwarded import X_FORWARDED_FOR, hops

# Whoever connects is a proxy, and nobody else is: there is exactly one between us and the clients.
ANYBODY = "*"
# How many silent proxies are told of: a cloud's balancer may have many addresses.
_MOST_TOLD_OF = 100


def parse_trusted(text: str) -> Network | str:
    """Return a network of proxies, or `*`. Raises ValueError."""
    return text if text == ANYBODY else parse_network(text)


class TrustedProxies:
    """Knows whom to believe. Nobody's word counts but theirs, and theirs only about who came to them."""

    def __init__(self, trusted: Sequence[Network | str] = (), field: str = X_FORWARDED_FOR) -> None:
        """`trusted` are results of `parse_trusted`, `field` is where the proxies say for whom they speak."""
        self._anybody = ANYBODY in trusted
        self._networks = [network for network in trusted if not isinstance(network, str)]
        self._field = field
        self._told_of: set[str] = set()

    def have(self, named: Address | None) -> bool:
        """Tell whether there is one at the address that another one has named."""
        if not self._networks or not named:
            return False
        try:
            address = parse_ip(str(named[0]))
        except ValueError:
            return False
        return any(address in network for network in self._networks)

    def have_peer(self, peer: Address | None) -> bool:
        """Tell whether the other end of a connection is one."""
        return self._anybody or self.have(peer)

    def origin(self, request: Request, proxy: Address | None) -> tuple[Address | None, str | None]:
        """Return who a request comes from that `proxy`, one of ours, has passed on, and by which scheme, if it says so.

        Each proxy is believed about the one before it. The first that is none of ours is the client.
        """
        client, scheme = proxy, None
        for hop in hops(request, self._field):
            scheme = hop.scheme or scheme
            if hop.client is None:
                break
            client = hop.client
            if not self.have(client):
                break
        return client, scheme

    def is_news_of(self, proxy: Address | None) -> bool:
        """Tell whether this is the first question about `proxy`, and not too many others were asked about before."""
        host = str(proxy[0]) if proxy else ""
        is_news = host not in self._told_of and len(self._told_of) < _MOST_TOLD_OF
        if is_news:
            self._told_of.add(host)
        return is_news
