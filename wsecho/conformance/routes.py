"""The paths that the harnesses of client libraries call on Autobahn's fuzzing server, and the reports."""

import json
import sys
from collections.abc import Callable
from urllib.parse import parse_qs

from wsecho.conformance.cases import Case
from wsecho.conformance.reports import Reports
from wsecho.conformance.results import LONGEST_AGENT, Results
from wsecho.conformance.session import Run, Sessions
from wsecho.connections.http_connection import Routes
from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response, plain
from wsecho.scenarios.steps.peer import Peer
from wsecho.websocket import handshake
from wsecho.websocket.echo import TEXT
from wsecho.websocket.upgrade import Takeover, Upgrade

_NORMAL_CLOSURE = 1000
_INTERNAL_ERROR = 1011
_NOT_STORED = ("Cache-Control", "no-store")
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
# Seconds that /getCaseStatus waits beyond the longest case.
_PATIENCE = 10.0


class _WrongRequestError(Exception):
    """The query is not what the path needs. The text is one line for the user."""


class ConformanceRoutes:
    """Answers all requests. Those of an echo server are answered by `others`, except for WebSockets outside /ws/."""

    def __init__(
        self, sessions: Sessions, results: Results, reports: Reports, others: Routes, on_complete: Callable[[], None]
    ) -> None:
        """`on_complete` is called when a client demands the end of the process."""
        self._sessions = sessions
        self._results = results
        self._reports = reports
        self._others = others
        self._on_complete = on_complete
        self._cases = list(results.cases)
        self._by_id = {case.id: case for case in self._cases}
        self._calls: dict[str, Callable[[Request, dict[str, str]], Response | Takeover]] = {
            "/getCaseCount": self._count,
            "/runCase": self._run,
            "/getCaseInfo": self._info,
            "/getCaseStatus": self._status,
            "/updateReports": self._update,
        }
        self.keeps_connections = others.keeps_connections

    def route_of(self, request: Request, answer: Response | Upgrade | Takeover) -> str:
        """Return the route that a request is counted under."""
        return "/{websocket}" if isinstance(answer, Takeover) else self._others.route_of(request, answer)

    def answer(self, request: Request) -> Response | Deferred | Upgrade | Takeover:
        """Return the answer to one request."""
        if handshake.is_attempted(request):
            if request.path in self._calls:
                return self._call(request)
            if request.path.startswith("/ws/"):
                return self._others.answer(request)
            return plain(
                404, f"a WebSocket is at {', '.join(self._calls)} and under /ws/", close=True, refusal="scenario"
            )
        if request.method in ("GET", "HEAD") and (page := self._reports.page(request.path)):
            kind, body = page
            return Response(200, (("Content-Type", kind), _NOT_STORED, _ANY_ORIGIN), body)
        if request.path in self._calls:
            return handshake.upgrade_required(f"{request.path} is a WebSocket: connect with ws:// or wss://")
        return self._others.answer(request)

    def _call(self, request: Request) -> Response | Takeover:
        query = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        try:
            return self._calls[request.path](request, query)
        except _WrongRequestError as error:
            return plain(400, str(error), close=True, refusal="scenario")

    def _case(self, query: dict[str, str]) -> Case:
        if tuple_ := query.get("casetuple"):
            if tuple_ in self._by_id:
                return self._by_id[tuple_]
            raise _WrongRequestError("casetuple is not the id of a case: wsecho conformance --list shows all")
        number = query.get("case", "")
        if number.isascii() and number.isdigit() and len(number) < 9 and 1 <= int(number) <= len(self._cases):
            return self._cases[int(number) - 1]
        raise _WrongRequestError(f"case must be a number from 1 to {len(self._cases)}")

    def _agent(self, request: Request, query: dict[str, str]) -> str:
        agent = (query.get("agent") or request.value("user-agent") or "client")[:LONGEST_AGENT]
        if not self._results.has_room(agent):
            raise _WrongRequestError("too many agents: stop the server and start it again")
        return agent

    def _count(self, request: Request, query: dict[str, str]) -> Response | Takeover:
        return self._sessions.answer(request, _says(str(len(self._cases))))

    def _info(self, request: Request, query: dict[str, str]) -> Response | Takeover:
        case = self._case(query)
        return self._sessions.answer(request, _says(json.dumps({"id": case.id, "description": case.description})))

    def _run(self, request: Request, query: dict[str, str]) -> Response | Takeover:
        return self._sessions.run(request, self._case(query), self._agent(request, query))

    def _status(self, request: Request, query: dict[str, str]) -> Response | Takeover:
        case, agent = self._case(query), self._agent(request, query)

        async def run(peer: Peer) -> None:
            verdict = await self._results.verdict(case, agent, 2 * case.seconds + _PATIENCE)
            behavior = verdict.behavior if verdict else "FAILED"
            await _says(json.dumps({"behavior": behavior}))(peer)

        return self._sessions.answer(request, run)

    def _update(self, request: Request, query: dict[str, str]) -> Response | Takeover:
        async def run(peer: Peer) -> None:
            code, reason = _NORMAL_CLOSURE, b""
            try:
                self._reports.write()
            except OSError as error:
                print(f"wsecho conformance: the reports cannot be written: {error}", file=sys.stderr, flush=True)
                code, reason = _INTERNAL_ERROR, b"the reports cannot be written"
            if query.get("shutdownOnComplete") == "true":
                self._on_complete()
            await peer.close(code, reason)

        return self._sessions.answer(request, run)


def _says(text: str) -> Run:
    async def run(peer: Peer) -> None:
        await peer.send(TEXT, text.encode())
        await peer.close(_NORMAL_CLOSURE)

    return run
