"""Fetching what is at a URL: without redirects, in a time that bytes do not extend, up to a size."""

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

# Seconds for each step and for all of it; bytes of an answer.
_STEP_TIMEOUT = 5.0
_TIMEOUT = 10.0
_MAX_SIZE = 256 * 1024
_PIECE = 16 * 1024


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect could lead to where nothing may come from."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


class _Deadline:
    """Ends the connections of a fetch that takes too long, however busily the other end drips."""

    def __init__(self) -> None:
        self._is_over = False
        self._sockets: list[socket.socket] = []

    @contextlib.contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Let what is done here take so many seconds. Raises TimeoutError, whatever came of it, if it took longer."""
        timer = threading.Timer(seconds, self._end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except Exception:
            if not self._is_over:
                raise
        finally:
            timer.cancel()
            # Whoever forks next must have no thread but its own.
            timer.join()
            for connected in self._sockets:
                connected.close()
        if self._is_over:
            raise TimeoutError

    def guard(self, connected: socket.socket) -> None:
        """End this connection, too. Raises TimeoutError if it is too late."""
        # A socket of our own: TLS takes the other one over.
        self._sockets.append(connected.dup())
        if self._is_over:
            raise TimeoutError

    def _end(self) -> None:
        self._is_over = True
        for connected in list(self._sockets):
            with contextlib.suppress(OSError):
                connected.shutdown(socket.SHUT_RDWR)


class _Connection(http.client.HTTPConnection):
    def __init__(self, *arguments: Any, deadline: _Deadline, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.guard(self.sock)


class _TlsConnection(http.client.HTTPSConnection, _Connection):
    """Its `connect` calls that of `_Connection` before the handshake of TLS."""


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
    """Return what is at a URL, in one of `media_types`. Raises OSError or ValueError with a line for the user."""
    deadline = _Deadline()
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects(), _Http(deadline), _Https(deadline)]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Accept": media_types})
    try:
        with (
            deadline.within(_TIMEOUT),
            urllib.request.build_opener(*handlers).open(request, timeout=_STEP_TIMEOUT) as got,
        ):
            return _read(got)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"it was answered with status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(f"it cannot be fetched: {error.reason}") from None
    except TimeoutError:
        raise OSError("it took too long") from None
    except http.client.HTTPException as error:
        raise OSError(f"it was not answered in HTTP: {type(error).__name__}") from None


def _read(response: http.client.HTTPResponse) -> bytes:
    data = b""
    while piece := response.read1(_PIECE):
        data += piece
        if len(data) > _MAX_SIZE:
            raise ValueError(f"it is longer than {_MAX_SIZE} bytes")
    return data
