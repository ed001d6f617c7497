"""The sweep, which checks all deadlines once a second: it lets other work run in between and survives errors.

Modules: `sweep`, `internal_errors`.
"""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.shared.server import PATIENCE
from wsecho.connections.sweep import sweep


def test_a_sweep_checks_every_connection_in_several_iterations_of_the_loop() -> None:
    async def looks() -> list[int]:
        loop = asyncio.get_running_loop()
        turn = 0
        looked: list[int] = []

        def count_turns() -> None:
            nonlocal turn
            turn += 1
            loop.call_soon(count_turns)

        connection = SimpleNamespace(check=lambda now: looked.append(turn))
        due = iter([[connection] * 100])
        counters: Any = SimpleNamespace(loop_lag=lambda seconds: None)
        connections: Any = SimpleNamespace(expired=lambda now: [])
        timers: Any = SimpleNamespace(due=lambda now: next(due, []))
        count_turns()
        sweeping = asyncio.create_task(sweep(connections, timers, counters, 0.001))
        async with asyncio.timeout(PATIENCE):
            while len(looked) < 100:
                await asyncio.sleep(0)
        sweeping.cancel()
        return looked

    looked = asyncio.run(looks())
    assert max(looked.count(turn) for turn in looked) <= 25


def test_a_sweep_survives_whatever_fails_in_it() -> None:
    """Errors in a part of the sweep, in the check of a connection, and in what handles such an error."""

    async def looks() -> tuple[list[str], list[str]]:
        loop = asyncio.get_running_loop()
        errors: list[str] = []
        loop.set_exception_handler(lambda loop, context: errors.append(context["place"]))
        looked: list[str] = []
        failures = iter(["expired", "due", "look", "handler", ""])
        failing = ""

        def expired(now: float) -> list[Any]:
            nonlocal failing
            failing = next(failures, "")
            if failing == "expired":
                raise MemoryError
            return []

        def due(now: float) -> list[Any]:
            if failing == "due":
                raise MemoryError
            return [broken, good]

        def fail(*arguments: object) -> None:
            raise MemoryError

        broken = SimpleNamespace(check=fail, abort=fail)
        good = SimpleNamespace(check=lambda now: looked.append(failing))
        counters: Any = SimpleNamespace(loop_lag=lambda seconds: None)
        connections: Any = SimpleNamespace(expired=expired)
        timers: Any = SimpleNamespace(due=due)
        sweeping = asyncio.create_task(sweep(connections, timers, counters, 0.001))
        async with asyncio.timeout(PATIENCE):
            while len(looked) < 3:
                await asyncio.sleep(0)
        sweeping.cancel()
        return looked, errors

    looked, errors = asyncio.run(looks())
    assert looked[:3] == ["look", "handler", ""]
    assert set(errors) == {"sweep"}
    assert len(errors) >= 2 + 2 * 3


def test_a_late_sweep_that_fails_is_not_followed_by_one_that_checks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of late sweeps only the first one is skipped, whatever happens in those that follow."""
    lags = iter([2.0, 2.0, 2.0])
    checked: list[str] = []

    async def sleep(seconds: float) -> float:
        lag = next(lags, None)
        if lag is None:
            await asyncio.Event().wait()
        return lag or 0.0

    def expired(now: float) -> list[Any]:
        checked.append("fails" if not checked else "succeeds")
        if len(checked) == 1:
            raise MemoryError
        return []

    async def sweep_late() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        counters: Any = SimpleNamespace(loop_lag=lambda seconds: None)
        connections: Any = SimpleNamespace(expired=expired)
        timers: Any = SimpleNamespace(due=lambda now: [])
        sweeping = asyncio.create_task(sweep(connections, timers, counters, 0.001))
        async with asyncio.timeout(PATIENCE):
            while len(checked) < 2:
                await asyncio.sleep(0)
        sweeping.cancel()

    monkeypatch.setattr("wsecho.connections.sweep._sleep", sleep)
    asyncio.run(sweep_late())
    assert checked == ["fails", "succeeds"]
