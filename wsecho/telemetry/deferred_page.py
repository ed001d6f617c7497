"""The metrics page of a worker whose start does not need it: a thread makes it at the first scrape.

OpenTelemetry's SDK and Prometheus' encoder take a third of a start to import. An import gives up the interpreter's lock
at each file that it reads and every few milliseconds, so echoes go on during an import in another thread.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsecho.telemetry.prometheus_page import PrometheusPage

# The packages that the import at the first scrape needs.
_PACKAGES = ("opentelemetry.sdk.metrics", "opentelemetry.exporter.prometheus", "prometheus_client")
_RETRY_SECONDS = 0.1


class DeferredPage:
    """Makes the page with `make` when it is first asked for. Requests that arrive meanwhile wait for the same page.

    `make` runs in a thread of its own. If it raises, these requests fail, and the next one tries again.
    """

    def __init__(self, make: Callable[[], PrometheusPage]) -> None:
        self._make = make
        self._made: asyncio.Future[PrometheusPage] | None = None

    async def page(self, accept: str) -> tuple[str, bytes]:
        """Return the content type and the body of the metrics page, in the format that `accept` asks for."""
        if self._made is None:
            self._made = self._start()
        # Shielded, so that the cancellation of one request does not cancel the page for the others.
        page = await asyncio.shield(self._made)
        return await page.page(accept)

    def _start(self) -> asyncio.Future[PrometheusPage]:
        loop = asyncio.get_running_loop()
        made: asyncio.Future[PrometheusPage] = loop.create_future()
        # A daemon thread, so that the process can exit without waiting for it.
        threading.Thread(target=self._run, args=(loop, made), name="metrics", daemon=True).start()
        return made

    def _run(self, loop: asyncio.AbstractEventLoop, made: asyncio.Future[PrometheusPage]) -> None:
        try:
            finish = partial(made.set_result, self._make())
        except Exception as error:
            finish = partial(self._fail, made, error)
        while not loop.is_closed():
            try:
                loop.call_soon_threadsafe(finish)
            except Exception:
                # The event loop is being closed, or memory is short. The requests that wait have no deadline.
                time.sleep(_RETRY_SECONDS)
            else:
                return

    def _fail(self, made: asyncio.Future[PrometheusPage], error: Exception) -> None:
        self._made = None
        made.set_exception(error)


def require_packages() -> None:
    """Raise ImportError if a package that the first scrape imports is not installed."""
    for name in _PACKAGES:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
