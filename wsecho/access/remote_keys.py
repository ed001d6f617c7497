"""A JSON Web Key Set at a URL: fetched before the server starts, and again, off the event loop, when it seems old."""

import asyncio
import threading
from collections.abc import Iterable
from math import inf
from time import monotonic

import structlog

from wsecho.access import fetch
from wsecho.access.json_web_tokens import Key, KeySet, parse_key_set

# Seconds: how long a set is taken for new, and how often tokens with unknown keys may make us ask for a newer one.
_LIFETIME = 300.0
_PAUSE = 30.0
_MEDIA_TYPES = "application/jwk-set+json, application/json"


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
            self._asked = monotonic()
            self._fetching = True
            try:
                threading.Thread(target=self._fetch_for, args=(self._loop,), name="keys", daemon=True).start()
            except Exception as error:
                # No thread can be started now, perhaps for want of memory: the present keys have to do.
                self._end_fetch(error)

    def _fetch_for(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run in a thread of its own, which the end of the process does not wait for."""
        result: KeySet | Exception
        try:
            result = self._fetch()
        except Exception as error:
            # Whatever it is, the next one must be able to try.
            result = error
        try:
            loop.call_soon_threadsafe(self._end_fetch, result)
        except Exception:
            # The loop has ended, or there was no memory: then the next one must be able to try.
            self._fetching = False

    def _end_fetch(self, result: KeySet | Exception) -> None:
        self._fetching = False
        if isinstance(result, KeySet):
            self._key_set = result
            self._fetched = monotonic()
            self._log.info("key set fetched")
        else:
            self._log.error("key set not fetched, the one before stays in use", error=str(result))

    def _fetch(self) -> KeySet:
        return parse_key_set(fetch.get(self._url, _MEDIA_TYPES), self._algorithms)
