"""A wsecho server as the tests of a client see it: its URLs, metrics, and what it saw."""

import http.client
import json
import ssl
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

# Time limit in seconds for what takes a moment, on a machine that is busy with other things.
PATIENCE_SECONDS = 60.0


class Peer:
    """A server that tests connect to. `http_url` says where it is."""

    @property
    def http_url(self) -> str:
        """The URL for HTTP, without a slash at its end, such as `http://127.0.0.1:40123`."""
        raise NotImplementedError

    @property
    def ca_file(self) -> Path | None:
        """A file in PEM with the certificate that a client must trust; None if the test has to know it."""
        return None

    def logs(self) -> list[dict[str, Any]]:
        """Return the log lines so far, with the fields of docs/logs.md."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The URL for WebSockets, without a slash at its end, such as `ws://127.0.0.1:40123`."""
        return "ws" + self.http_url.removeprefix("http")

    @property
    def port(self) -> int:
        """The port of `url`."""
        parts = urlsplit(self.http_url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    def at(self, path: str) -> str:
        """Return the URL for WebSockets at a path, such as `/ws/close/1001`."""
        return f"{self.url}/{path.removeprefix('/')}"

    def metrics(self) -> dict[str, float]:
        """Return every sample of `/metrics` by its name and labels, as in `name{label="value"}`.

        Raises RuntimeError if the server does not answer with 200.
        """
        return samples(self.get("/metrics"))

    def seen(self, key: str) -> dict[str, Any]:
        """Return what the server saw of the connections under `key`: the answer of `/seen`.

        Raises RuntimeError if the server does not answer with 200.
        """
        page: dict[str, Any] = json.loads(self.get(f"/seen?key={quote(key, safe='')}"))
        return page

    def get(self, path: str) -> str:
        """Return the page at `path`. Raises RuntimeError if its status is not 200."""
        return page_at(self.http_url + path)


def page_at(url: str) -> str:
    """Return the page at an http or https URL.

    The server's certificate is not verified, because the page is read for a test of something else. Proxies in the
    environment are not used. Raises RuntimeError if the status is not 200.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=PATIENCE_SECONDS, context=_unverified())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=PATIENCE_SECONDS)
    )
    with closing(connection):
        connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
        response = connection.getresponse()
        body = response.read().decode()
    if response.status != http.client.OK:
        raise RuntimeError(f"GET {url}: expected status 200, but got {response.status}: {body.strip()}")
    return body


def samples(page: str) -> dict[str, float]:
    """Return the samples of a page in Prometheus' text format that has no timestamps."""
    rows = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
