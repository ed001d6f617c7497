"""A pytest plugin that gives tests of WebSocket clients a peer: `pytest_plugins = ["wsecho.testing"]`.

It needs pytest and the standard library, and imports nothing of the server, which runs in processes of its own.
docs/testing.md describes its fixtures.
"""

from wsecho.testing.peer import Peer
from wsecho.testing.plugin import (
    StartServer,
    _wsecho_servers,
    pytest_addoption,
    pytest_configure,
    pytest_runtest_setup,
    wsecho,
    wsecho_server,
    wsecho_tls,
)
from wsecho.testing.server import Server

__all__ = [
    "Peer",
    "Server",
    "StartServer",
    "_wsecho_servers",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_setup",
    "wsecho",
    "wsecho_server",
    "wsecho_tls",
]
