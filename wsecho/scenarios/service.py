"""Answers everything that has to do with scenarios: handshakes, explanations and the catalogue."""

import json
import secrets
from functools import partial
from time import monotonic
from typing import Any

from wsecho.connections.http_connection import Handover
from wsecho.http.request import Request
from wsecho.http.response import TEXT, Response, plain
from wsecho.proxies.connections_per_address import ConnectionsPerAddress
from wsecho.scenarios import catalogue, description
from wsecho.scenarios.language.budget import ScenarioError
from wsecho.scenarios.language.grammar import canonical, parse
from wsecho.scenarios.language.limits import LOCAL, PUBLIC
from wsecho.scenarios.language.plan import Plan
from wsecho.scenarios.run.attempts import Attempts
from wsecho.scenarios.run.opening import OpeningConnection
from wsecho.scenarios.run.scenario import Scenario
from wsecho.scenarios.setting import Setting
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Takeover, Upgrade

# Bytes that the connections of scenarios read at once, into memory that all share.
_READ_SIZE = 16 << 10
_SEEDS = 1 << 31
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_JSON = ("Content-Type", "application/json")
_NOT_STORED = ("Cache-Control", "no-store")


class Service:
    """The scenarios of one worker."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._limits = PUBLIC if setting.is_public else LOCAL
        self._attempts = Attempts(self._limits.keys)
        self._per_address = ConnectionsPerAddress(self._limits.per_address)
        self._open = 0
        self._most_open = max(1, int(setting.most_connections * self._limits.share))
        self._memory = memoryview(bytearray(_READ_SIZE))
        self._catalogue = json.dumps(catalogue.as_json(self._limits), ensure_ascii=False).encode()

    def answer(self, request: Request) -> Response | Upgrade | Takeover:
        """Return the answer to a handshake under `/ws`: a refusal, a plain echo, or a scenario."""
        try:
            plan = self._plan(request)
        except ScenarioError as error:
            return plain(400, str(error), (_ANY_ORIGIN,), close=True, refusal="scenario")
        upgrade = self._setting.agree(request, may_deflate=plan.may_deflate)
        if isinstance(upgrade, Response) or plan.is_plain_echo:
            return upgrade
        key = self._per_address.add(request.client)
        if self._open >= self._most_open or self._per_address.is_exceeded(key):
            self._per_address.remove(key)
            return plain(503, "too many scenarios are running", (("Retry-After", "5"),), close=True, refusal="capacity")
        self._open += 1
        return Takeover(partial(self._start, plan, upgrade, key))

    def _start(self, plan: Plan, upgrade: Upgrade, address: str, handover: Handover) -> None:
        request = handover.request
        given = plan.given.get("seed")
        scenario = Scenario(
            plan,
            request,
            self._limits,
            canonical(plan, catalogue.VOCABULARY),
            self._attempts.next(_key(plan, request), monotonic()),
            secrets.randbelow(_SEEDS) if given is None else given,
            secrets.token_hex(8),
            self._setting.counters.scenario_step,
            partial(self._ended, address),
        )
        OpeningConnection(handover, upgrade, self._setting.websockets, scenario, self._memory).start()

    def _ended(self, address: str) -> None:
        self._open -= 1
        self._per_address.remove(address)

    def explain(self, request: Request) -> Response:
        """Return what a connection to the URL would get, in words or, if the client accepts it, as JSON."""
        is_json = "application/json" in request.value("accept")
        try:
            plan = self._plan(request)
        except ScenarioError as error:
            if is_json:
                return _json(400, {"error": str(error)})
            return plain(400, str(error), (_ANY_ORIGIN,))
        if plan.is_plain_echo and not is_json:
            return _explanation(description.all_words())
        counted = self._attempts.seen(_key(plan, request), monotonic())
        if is_json:
            return _json(426, description.as_json(plan, self._limits, counted))
        return _explanation(description.in_words(plan, self._limits, counted))

    def catalogue(self, request: Request) -> Response:
        """Return the catalogue."""
        return Response(200, (_JSON, _ANY_ORIGIN, ("Cache-Control", "no-cache")), self._catalogue)

    def _plan(self, request: Request) -> Plan:
        if "#" in request.target:
            raise ScenarioError("a '#' must be written as %23, because clients cut the URL there")
        return parse(request.path, request.query, catalogue.VOCABULARY, self._limits)


def _key(plan: Plan, request: Request) -> str:
    """Return what connections are counted under: the plan's key, or the exact target and the client's address."""
    if key := plan.given.get("key"):
        return f"key {key}"
    return f"{request.client[0] if request.client else ''} {request.target}"


def _explanation(text: str) -> Response:
    return Response(426, (TEXT, _NOT_STORED, _ANY_ORIGIN, *handshake.UPGRADE), text.encode(), close=True)


def _json(status: int, document: dict[str, Any]) -> Response:
    fields = (_JSON, _NOT_STORED, _ANY_ORIGIN, *(handshake.UPGRADE if status == 426 else ()))
    return Response(status, fields, json.dumps(document, ensure_ascii=False).encode(), close=status == 426)
