"""Chromium without Playwright, for measurements.

Playwright has the browser report every WebSocket message to it, which costs several times as much as the message.
"""

import json
import subprocess
import tempfile
import urllib.request
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.page.client import CHROMIUM, CHROMIUM_ARGS
from tests.page.scripts import in_context
from tests.shared.processes import wait_until
from tests.shared.server import PATIENCE

ARGUMENTS = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", "--window-size=1280,800", *CHROMIUM_ARGS]


class DevTools:
    """A browser with one page, which is empty at first. It is spoken to with the Chrome DevTools Protocol."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._ids = count(1)

    def __enter__(self) -> Self:
        command = [str(CHROMIUM), *ARGUMENTS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: bool(self._pages()))
            opening = connect(
                self._pages()[0], max_size=None, compression=None, ping_interval=None, open_timeout=PATIENCE
            )
            self._socket = opening.__enter__()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # The browser may end before its answer has been sent.
            with suppress(ConnectionClosed):
                self.call("Browser.close")
            self._socket.close()
        finally:
            self._end()

    def _end(self) -> None:
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()

    def _pages(self) -> list[str]:
        """Return the addresses of the pages' debuggers, once the browser has opened one."""
        try:
            port = (Path(self._folder.name) / "DevToolsActivePort").read_text().split()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE) as response:
                return [each["webSocketDebuggerUrl"] for each in json.load(response) if each["type"] == "page"]
        except (OSError, IndexError):
            return []

    def call(self, method: str, **parameters: Any) -> Any:
        """Return the result of a method of the protocol. Raises RuntimeError with the browser's own words."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """Return what a JavaScript function returns. Raises RuntimeError for what it throws."""
        expression = f"({function})({json.dumps(argument)})"
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["result"].get("description", "an exception"))
        return found["result"].get("value")

    def open(self, url: str) -> None:
        """Load the test client, and wait until its views are there."""
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        wait_until(self._is_loaded)

    def _is_loaded(self) -> bool:
        # While one page takes the place of another, the browser may give up what it was evaluating.
        with suppress(RuntimeError):
            self.evaluate("""async () => {
              const isLoaded = () => location.protocol === "http:" && document.querySelector("[role=grid]");
              while (!isLoaded()) await new Promise((done) => setTimeout(done, 20));
            }""")
            return True
        return False

    def context(self, function: str, argument: Any = None) -> Any:
        """Return what a function returns that gets the context of the views and `argument`."""
        return self.evaluate(in_context(function), argument)
