"""The WebSocket of Chromium. Each task has a page and an address of its own.

A page delays connects after some of them have failed, and connects to an address one after the other (RFC 6455
section 4.1).
"""

import asyncio
from dataclasses import asdict
from itertools import count
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.compatibility.runners.running import main
from tests.compatibility.tasks import Outcome, Task
from tests.shared.server import ROOT

CHROMIUM = Path("/usr/bin/chromium")
_SCRIPT = (ROOT / "tests/clients/browser_api.js").read_text().replace("export ", "")
_PERFORM = f"""async (task) => {{
  {_SCRIPT}
  let found;
  await performAll([task], ({{ url }}) => new WebSocket(url), (outcome) => {{ found = outcome; }});
  return found;
}}"""
# Seconds that a page takes to open, on a busy machine.
_OPENING = 30.0
_ADDRESSES = (f"127.{number // 250 % 250}.{number % 250 + 1}.1" for number in count(250))


class Chromium:
    """The browser, started at the first task."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._browser: Browser | None = None

    async def _started(self) -> Browser:
        async with self._lock:
            if self._browser is None:
                playwright = await async_playwright().start()
                self._browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        return self._browser

    async def perform(self, task: Task, outcome: Outcome) -> None:
        """Perform a task."""
        context = await (await self._started()).new_context(ignore_https_errors=True)
        try:
            page = await context.new_page()
            settings = asdict(task) | {"url": task.url.replace("127.0.0.1", next(_ADDRESSES))}
            for name, value in (await page.evaluate(_PERFORM, settings)).items():
                setattr(outcome, name, value)
        finally:
            await context.close()


if __name__ == "__main__":
    main(Chromium().perform, grace=_OPENING)
