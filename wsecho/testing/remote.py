"""A server that runs elsewhere: `WSECHO_TEST_URL` names it."""

import http.client
import os
import threading
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from wsecho.testing.peer import PATIENCE_SECONDS, Peer

VARIABLE = "WSECHO_TEST_URL"
_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_POLL_SECONDS = 0.1


class RemotePeer(Peer):
    """The server at a URL."""

    def __init__(self, url: str) -> None:
        self._http_url = url

    @property
    def http_url(self) -> str:
        """The URL for HTTP, without a slash at its end."""
        return self._http_url

    def wait_until_ready(self) -> None:
        """Wait until `/ready` answers with 200, because a service container may still be starting. Fail otherwise."""
        deadline = monotonic() + PATIENCE_SECONDS
        while reason := self._why_not_ready():
            if monotonic() > deadline:
                pytest.fail(f"{VARIABLE}: after {PATIENCE_SECONDS:.0f} s, not ready: {reason}", pytrace=False)
            threading.Event().wait(_POLL_SECONDS)

    def _why_not_ready(self) -> str:
        try:
            self.get("/ready")
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    def logs(self) -> list[dict[str, Any]]:
        """Skip the test: nobody here can read the log of that server."""
        pytest.skip(f"the log of the server at {VARIABLE} cannot be read")


def url_from_environment() -> str | None:
    """Return the http or https URL that `WSECHO_TEST_URL` names, or None if it is unset or empty.

    Raises ValueError if it is no URL of a server.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    try:
        parts = urlsplit(text)
        valid = (
            parts.scheme in _SCHEMES and parts.hostname and parts.port != 0 and not parts.query and not parts.fragment
        )
    except ValueError:  # brackets or a port that are none
        valid = False
    if not valid:
        raise ValueError(f"{VARIABLE}: {text!r} is not a URL such as ws://localhost:8080")
    return f"{_SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}"
