"""A JSON Web Key Set at a URL.

The set is fetched before the server starts. A thread fetches it again when it is old or when a key is missing.
"""

import asyncio
import threading
from collections.abc import Iterable
from math import inf
from time import monotonic

import structlog

from wsecho.access import fetch
from wsecho.access.json_web_tokens import Key, KeySet, parse_key_set

# Seconds: the age at which a set is fetched again, and the least time between the starts of two fetches, however many
# tokens with unknown keys arrive.
_MAX_AGE = 300.0
_MIN_INTERVAL = 30.0
_MEDIA_TYPES = "application/jwk-set+json, application/json"


class RemoteKeys:
    """The keys of the last set that was fetched successfully."""

    def __init__(self, url: str, algorithms: Iterable[str], log: structlog.typing.FilteringBoundLogger) -> None:
        """Fetch the set and wait for it. Raises OSError or ValueError; the text is for the user."""
        self._url = url
        self._algorithms = tuple(algorithms)
        self._log = log
        self._key_set = self._fetch()
        self._fetched_at = monotonic()
        self._last_attempt = -inf
        self._fetching = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Allow later fetches; their results arrive on `loop`."""
        self._loop = loop

    def find(self, name: str | None, algorithm: str) -> list[Key]:
        """Return the keys that may have signed a token with this `kid` and `alg`; start a fetch if the set is old."""
        if monotonic() - self._fetched_at > _MAX_AGE:
            self._start_fetch()
        return self._key_set.find(name, algorithm)

    def start_refresh(self) -> bool:
        """Start a fetch unless one was started less than 30 seconds ago; return whether one is under way."""
        self._start_fetch()
        return self._fetching

    def reload(self) -> None:
        """Start a fetch now, whenever the last one was; nothing happens in a process that has no event loop yet."""
        self._last_attempt = -inf
        self._start_fetch()

    def _start_fetch(self) -> None:
        if self._loop and not self._fetching and monotonic() - self._last_attempt >= _MIN_INTERVAL:
            self._last_attempt = monotonic()
            self._fetching = True
            try:
                threading.Thread(target=self._run_fetch, args=(self._loop,), name="keys", daemon=True).start()
            except Exception as error:
                # No thread can be started, perhaps because memory is short: the present keys stay in use.
                self._end_fetch(error)

    def _run_fetch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Fetch the set in a daemon thread, so that the process can exit without waiting for it."""
        result: KeySet | Exception
        try:
            result = self._fetch()
        except Exception as error:
            # After any error, a later fetch must be possible.
            result = error
        try:
            loop.call_soon_threadsafe(self._end_fetch, result)
        except Exception:
            # The event loop is closed, or memory is short: a later fetch must be possible.
            self._fetching = False

    def _end_fetch(self, result: KeySet | Exception) -> None:
        self._fetching = False
        if isinstance(result, KeySet):
            self._key_set = result
            self._fetched_at = monotonic()
            self._log.info("key set fetched")
        else:
            self._log.error("key set not fetched, the one before stays in use", error=str(result))

    def _fetch(self) -> KeySet:
        return parse_key_set(fetch.get(self._url, _MEDIA_TYPES), self._algorithms)
