"""Peers that do what an echo server does not do."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from websockets.sync.server import ServerConnection, serve


@contextmanager
def peer(handler: Callable[[ServerConnection], None]) -> Iterator[str]:
    """A server with one handler for all connections; yields its URL."""
    with serve(handler, "127.0.0.1", 0, compression=None, max_size=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "ws://{}:{}/".format(*server.socket.getsockname())
        server.shutdown()
        thread.join()


@contextmanager
def silent_listener() -> Iterator[str]:
    """A port that accepts connections and never answers; yields a URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield "ws://{}:{}/".format(*listener.getsockname())


@contextmanager
def closed_port() -> Iterator[str]:
    """A port that is bound and refuses connections; yields a URL."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield "ws://{}:{}/".format(*bound.getsockname())
