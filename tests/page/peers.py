"""Peers that do what an echo server does not do."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue

from websockets.sync.server import ServerConnection, serve

Message = str | bytes


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


@contextmanager
def recorder() -> Iterator[tuple[str, "Queue[Message]"]]:
    """A server that does not answer; yields its URL, and a queue of what arrives."""
    received: Queue[Message] = Queue()

    def record(connection: ServerConnection) -> None:
        for message in connection:
            received.put(message)

    with peer(record) as url:
        yield url, received
