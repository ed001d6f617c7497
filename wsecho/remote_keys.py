"""A JSON Web Key Set at a URL: fetched before the server starts, and again, off the event loop, when it seems old."""

import asyncio
import contextlib
import http.client
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable
from math import inf
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import structlog

from wsecho.config import is_loopback
from wsecho.json_web_tokens import Key, KeySet, parse_key_set

# Seconds: how long a set is taken for new, and how often tokens with unknown keys may make us ask for a newer one.
_LIFETIME = 300.0
_PAUSE = 30.0
# Seconds for each step of a fetch and for all of it; bytes of an answer.
_STEP_TIMEOUT = 5.0
_TIMEOUT = 10.0
_MAX_SIZE = 256 * 1024
_PIECE = 16 * 1024


class RemoteKeys:
    """The keys of the newest set that could be fetched."""

    def __init__(self, url: str, algorithms: Iterable[str], log: structlog.typing.FilteringBoundLogger) -> None:
        """Fetch the set, and wait for it. Raises OSError or ValueError with a line for the user."""
        self._url = url
        self._algorithms = tuple(algorithms)
        self._log = log
        self._key_set = self._fetch()
        self._fetched = monotonic()
        self._asked = -inf
        self._fetching = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on newer sets may be fetched."""
        self._loop = loop

    def named(self, name: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may have signed a token whose header says so."""
        if monotonic() - self._fetched > _LIFETIME:
            self._ask()
        return self._key_set.named(name, algorithm)

    def may_come(self) -> bool:
        """Ask for a newer set, unless that was done a moment ago; tell whether one is under way."""
        self._ask()
        return self._fetching

    def reload(self) -> None:
        """Ask for a newer set. A process that serves nobody has no need of it yet."""
        self._asked = -inf
        self._ask()

    def _ask(self) -> None:
        if self._loop and not self._fetching and monotonic() - self._asked >= _PAUSE:
            self._fetching = True
            self._asked = monotonic()
            threading.Thread(target=self._fetch_for, args=(self._loop,), name="keys", daemon=True).start()

    def _fetch_for(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run in a thread of its own, which the end of the process does not wait for."""
        result: KeySet | Exception
        try:
            result = self._fetch()
        except Exception as error:
            # Whatever it is, the next one must be able to try.
            result = error
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(self._end_fetch, result)

    def _end_fetch(self, result: KeySet | Exception) -> None:
        self._fetching = False
        if isinstance(result, KeySet):
            self._key_set = result
            self._fetched = monotonic()
            self._log.info("key set fetched")
        else:
            self._log.error("key set not fetched, the one before stays in use", error=str(result))

    def _fetch(self) -> KeySet:
        return parse_key_set(_get(self._url), self._algorithms)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect could lead to where no key set may come from."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


def _get(url: str) -> bytes:
    """Return what is at a URL. Raises OSError or ValueError with a line for the user."""
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if is_loopback(urlsplit(url).hostname or ""):
        handlers.append(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, headers={"Accept": "application/jwk-set+json, application/json"})
    deadline = monotonic() + _TIMEOUT
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=_STEP_TIMEOUT) as response:
            return _read(response, deadline)
    except urllib.error.HTTPError as error:
        error.close()
        raise OSError(f"it was answered with status {error.code}") from None
    except urllib.error.URLError as error:
        raise OSError(f"it cannot be fetched: {error.reason}") from None
    except TimeoutError:
        raise OSError("it took too long") from None
    except http.client.HTTPException as error:
        raise OSError(f"it was not answered in HTTP: {type(error).__name__}") from None


def _read(response: http.client.HTTPResponse, deadline: float) -> bytes:
    data = b""
    while piece := response.read1(_PIECE):
        data += piece
        if len(data) > _MAX_SIZE:
            raise ValueError(f"it is longer than {_MAX_SIZE} bytes")
        if monotonic() > deadline:
            raise TimeoutError
    return data
