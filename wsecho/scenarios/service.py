"""Answers everything that has to do with scenarios: handshakes, explanations and the catalogue."""

import asyncio
import json
import secrets
from functools import partial
from time import monotonic
from typing import Any

from wsecho.connections.http_connection import Handover
from wsecho.http.addresses import Address
from wsecho.http.request import Request
from wsecho.http.response import TEXT, Deferred, Response, plain
from wsecho.routes.document import Document
from wsecho.scenarios import catalogue, description
from wsecho.scenarios.language import budget
from wsecho.scenarios.language.budget import ScenarioError
from wsecho.scenarios.language.grammar import asked_key, canonical, parse
from wsecho.scenarios.language.plan import Plan
from wsecho.scenarios.negotiation import negotiate
from wsecho.scenarios.run.opening import OpeningConnection
from wsecho.scenarios.run.scenario import Scenario
from wsecho.scenarios.seen import page
from wsecho.scenarios.seen.observation import KeyObservation, Observation
from wsecho.scenarios.seen.ticks import KeyTicks
from wsecho.scenarios.setting import Setting
from wsecho.websocket import handshake
from wsecho.websocket.upgrade import Takeover, Upgrade

# Bytes that the connections of scenarios read at once, into memory that all share.
_READ_SIZE = 16 << 10
_SEEDS = 1 << 31
_ANY_ORIGIN = ("Access-Control-Allow-Origin", "*")
_JSON = ("Content-Type", "application/json")
_NO_DEFLATE = (
    "the scenario needs permessage-deflate, but the client offers none that allows it (fewer window bits need "
    "client_max_window_bits), or the server has no compression or no memory left for it"
)
_NOT_STORED = ("Cache-Control", "no-store")


class Service:
    """The scenarios of one worker."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._keys = setting.keys()
        self._limits = self._keys.limits
        self._open = self._keys.open_scenarios.of(setting.worker)
        self._most_open = max(1, int(setting.most_connections * self._limits.share))
        self._page_turn = asyncio.Lock()
        self._memory = memoryview(bytearray(_READ_SIZE))
        catalogued = json.dumps(catalogue.as_json(self._limits), ensure_ascii=False)
        self._catalogue = Document(catalogued.encode(), (_JSON, _ANY_ORIGIN))

    def answer(self, request: Request) -> Response | Upgrade | Takeover:
        """Return the answer to a handshake under `/ws`: a refusal, a plain echo, or a scenario."""
        try:
            plan = self._plan(request)
        except ScenarioError as error:
            return plain(400, str(error), (_ANY_ORIGIN,), close=True, refusal="scenario")
        upgrade = negotiate(self._setting.agree, plan, request)
        if isinstance(upgrade, Response) or plan.is_plain_echo:
            return upgrade
        if plan.needs_deflate and not upgrade.deflate:
            return plain(400, _NO_DEFLATE, (_ANY_ORIGIN,), close=True, refusal="scenario")
        if self._open.count >= self._most_open or self._has_too_many(self._counted_address(request)):
            return plain(503, "too many scenarios are running", (("Retry-After", "5"),), close=True, refusal="capacity")
        memory = budget.memory(plan, self._limits)
        if memory and self._open.memory + memory > self._limits.memory:
            line = "the long writes of other scenarios take all the memory that there is for them"
            return plain(503, line, (("Retry-After", "5"),), close=True, refusal="capacity")
        return Takeover(partial(self._start, plan, upgrade, memory))

    def _counted_address(self, request: Request) -> Address | None:
        return request.client if self._limits.per_address else None

    def _has_too_many(self, address: Address | None) -> bool:
        return address is not None and self._open.of_address(address) >= self._limits.per_address

    def _start(self, plan: Plan, upgrade: Upgrade, memory: int, handover: Handover) -> None:
        request = handover.request
        # Not earlier: a connection that ends before its handshake is answered is never handed over.
        place = self._open.add(self._counted_address(request), memory)
        given = plan.given.get("seed")
        counted_as = _counted_as(plan, request)
        attempt = self._keys.next(counted_as, monotonic())
        identity = secrets.randbits(64)
        observation = Observation()
        if "key" in plan.given:
            observation = KeyObservation(self._keys, counted_as, identity, attempt, request)
        scenario = Scenario(
            plan,
            request,
            self._limits,
            canonical(plan, catalogue.VOCABULARY),
            attempt,
            secrets.randbelow(_SEEDS) if given is None else given,
            f"{identity:016x}",
            observation,
            self._setting.counters.scenario_step,
            partial(self._open.remove, place),
            KeyTicks(self._keys, counted_as),
        )
        OpeningConnection(handover, upgrade, self._setting.websockets, scenario, self._memory).start()

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
        counted = self._keys.counted(_counted_as(plan, request), monotonic())
        if is_json:
            return _json(426, description.as_json(plan, self._limits, counted))
        return _explanation(description.in_words(plan, self._limits, counted))

    def catalogue(self, request: Request) -> Response:
        """Return the catalogue."""
        return self._catalogue.answer(request)

    def seen(self, request: Request) -> Response | Deferred:
        """Return what was seen of the connections under the key in the query."""
        try:
            key = asked_key(request.query, catalogue.VOCABULARY, self._limits)
        except ScenarioError as error:
            return plain(400, str(error), (_ANY_ORIGIN,))
        return page.page(self._keys, key, _name(key), self._page_turn)

    def _plan(self, request: Request) -> Plan:
        if "#" in request.target:
            raise ScenarioError("a '#' must be written as %23, because clients cut the URL there")
        return parse(request.path, request.query, catalogue.VOCABULARY, self._limits)


def _counted_as(plan: Plan, request: Request) -> str:
    """Return what connections are counted under: the plan's key, or the exact target and the client's address."""
    if key := plan.given.get("key"):
        return _name(key)
    return f"{request.client[0] if request.client else ''} {request.target}"


def _name(key: str) -> str:
    return f"key {key}"


def _explanation(text: str) -> Response:
    return Response(426, (TEXT, _NOT_STORED, _ANY_ORIGIN, *handshake.UPGRADE), text.encode(), close=True)


def _json(status: int, document: dict[str, Any]) -> Response:
    fields = (_JSON, _NOT_STORED, _ANY_ORIGIN, *(handshake.UPGRADE if status == 426 else ()))
    return Response(status, fields, json.dumps(document, ensure_ascii=False).encode(), close=status == 426)
