"""Fetches a URL with limits: no redirects, a total time that slow data cannot extend, and a maximum size."""

import contextlib
import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from wsecho.http.addresses import is_loopback

# Seconds for each socket operation, seconds for the whole fetch, and bytes of the response.
_STEP_TIMEOUT = 5.0
_TIMEOUT = 10.0
_MAX_SIZE = 256 * 1024
_READ_SIZE = 16 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: they could lead to a host that must not be trusted."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


class _Deadline:
    """Ends the connections of a fetch that takes too long, even if the server keeps sending a few bytes at a time."""

    def __init__(self) -> None:
        self._has_expired = False
        self._sockets: list[socket.socket] = []

    @contextlib.contextmanager
    def enforced(self, seconds: float) -> Iterator[None]:
        """Give the block `seconds`. Raises TimeoutError if it took longer, whether it failed or succeeded."""
        timer = threading.Timer(seconds, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            if not self._has_expired:
                raise
        finally:
            timer.cancel()
            # The process may fork next, and must then have no other thread.
            timer.join()
            for connection in self._sockets:
                connection.close()
        if self._has_expired:
            raise TimeoutError

    def add(self, connection: socket.socket) -> None:
        """End this connection as well when the time is over. Raises TimeoutError if it is over already."""
        # A duplicate of the socket, because TLS detaches the original.
        self._sockets.append(connection.dup())
        if self._has_expired:
            raise TimeoutError

    def _expire(self) -> None:
        self._has_expired = True
        for connection in list(self._sockets):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, deadline: _Deadline, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.add(self.sock)


class _TlsConnection(http.client.HTTPSConnection, _Connection):
    """Its `connect` calls that of `_Connection` before the TLS handshake."""


class _Http(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Connection, deadline=self._deadline), req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_TlsConnection, deadline=self._deadline), req)


def get(url: str, media_types: str) -> bytes:
    """Return the body of the response to a GET request that accepts `media_types`.

    Requests to this machine bypass the proxy that the environment may name. Raises OSError if the fetch fails, and
    ValueError if the body is too long; the text of both is for the user.
    """
    deadline = _Deadline()
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects(), _Http(deadline), _Https(deadline)]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Accept": media_types})
    try:
        with (
            deadline.enforced(_TIMEOUT),
            urllib.request.build_opener(*handlers).open(request, timeout=_STEP_TIMEOUT) as response,
        ):
            return _read(response)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"the response has status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(f"no response: {error.reason}") from None
    except TimeoutError:
        raise OSError("the fetch took too long") from None
    except http.client.HTTPException as error:
        raise OSError(f"the response is not valid HTTP: {type(error).__name__}") from None


def _read(response: http.client.HTTPResponse) -> bytes:
    data = b""
    while piece := response.read1(_READ_SIZE):
        data += piece
        if len(data) > _MAX_SIZE:
            raise ValueError(f"it is longer than {_MAX_SIZE} bytes")
    return data
