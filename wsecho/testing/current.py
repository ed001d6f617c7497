"""The server that the fixture `wsecho` stands for in the current test."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsecho.testing.peer import Peer


class CurrentPeer(Peer):
    """One object for the whole session, so that fixtures of every scope can use it. What it says is of the server
    with the options that the mark of the current test asks for.
    """

    def __init__(self, peer: Callable[[], Peer]) -> None:
        """`peer` returns the server of the current test."""
        self._peer = peer

    @property
    def http_url(self) -> str:
        """The URL for HTTP of the current test's server."""
        return self._peer().http_url

    @property
    def ca_file(self) -> Path | None:
        """The certificate to trust, if the current test's server has made one."""
        return self._peer().ca_file

    def metrics(self) -> dict[str, float]:
        """Return the metrics of the current test's server."""
        return self._peer().metrics()

    def logs(self) -> list[dict[str, Any]]:
        """Return the log lines of the current test's server."""
        return self._peer().logs()
