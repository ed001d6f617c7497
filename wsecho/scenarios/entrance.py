"""The entrance to the scenarios. Everything else is imported at the first request that has to do with them."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import TYPE_CHECKING

from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response
from wsecho.scenarios.setting import Setting
from wsecho.websocket.upgrade import Takeover, Upgrade

if TYPE_CHECKING:
    from wsecho.scenarios.service import Service


class Scenarios:
    """The scenarios of one worker. See `wsecho.routes.scenario_routes`."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._service: Service | None = None
        self._loading = threading.Lock()

    def own(self, request: Request) -> bool:
        """Return whether a request, whose path begins with `/ws`, asks for a scenario.

        `/ws` itself is a plain echo, unless options follow it.
        """
        return request.path.startswith("/ws/") or (request.path == "/ws" and bool(request.query))

    def answer(self, request: Request) -> Response | Upgrade | Takeover | Deferred:
        """Return the answer to a handshake that asks for a scenario."""
        return self._ask("answer", request)

    def explain(self, request: Request) -> Response | Deferred:
        """Return what a WebSocket at the URL would get."""
        return self._ask("explain", request)  # type: ignore[return-value]  # it upgrades nothing

    def catalogue(self, request: Request) -> Response | Deferred:
        """Return the catalogue."""
        return self._ask("catalogue", request)  # type: ignore[return-value]  # it upgrades nothing

    def seen(self, request: Request) -> Response | Deferred:
        """Return what the server saw under a key."""
        return self._ask("seen", request)  # type: ignore[return-value]  # it upgrades nothing

    def _ask(self, question: str, request: Request) -> Response | Upgrade | Takeover | Deferred:
        if self._service is None:
            return Deferred(partial(self._load_and_ask, question, request))
        answer: Response | Upgrade | Takeover | Deferred = getattr(self._service, question)(request)
        return answer

    async def _load_and_ask(self, question: str, request: Request) -> Response | Upgrade | Takeover:
        """Import the scenarios, and answer. The import takes tens of milliseconds, in which other connections are
        served: hence a thread.
        """
        service = await asyncio.to_thread(self._load)
        answer: Response | Upgrade | Takeover | Deferred = getattr(service, question)(request)
        made: Response | Upgrade | Takeover = await answer.make() if isinstance(answer, Deferred) else answer
        return made

    def _load(self) -> Service:
        from wsecho.scenarios.service import Service

        # Several requests may have come before the first one has loaded it.
        with self._loading:
            if self._service is None:
                self._service = Service(self._setting)
            return self._service
