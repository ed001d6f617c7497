"""Pages of /seen are made one at a time.

Modules: `seen/page`.
"""

import asyncio
import threading

import pytest

from wsecho.scenarios.language.limits import LOCAL
from wsecho.scenarios.seen import page
from wsecho.scenarios.seen.keys import Keys


def test_a_client_that_leaves_does_not_let_the_next_page_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, may_end = threading.Semaphore(0), threading.Event()
    running: list[int] = []
    most = 0

    def slow(*_: object) -> bytes:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        begun.release()
        assert may_end.wait(60)
        running.pop()
        return b"{}"

    monkeypatch.setattr(page, "_encoded", slow)

    async def leave_and_ask_again() -> None:
        keys, turn = Keys(LOCAL, workers=1), asyncio.Lock()
        first = asyncio.create_task(page._made(keys, "k", "k", turn))
        assert await asyncio.to_thread(begun.acquire, timeout=60)
        first.cancel()
        await asyncio.wait([first])
        second = asyncio.create_task(page._made(keys, "k", "k", turn))
        for _ in range(10):
            await asyncio.sleep(0)
        assert turn.locked()
        may_end.set()
        assert (await second).body == b"{}"

    asyncio.run(leave_and_ask_again())
    assert most == 1
