"""The page as its user sees it, in a real browser."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, expect

from tests.page.scripts import in_context
from tests.shared.server import PATIENCE

CHROMIUM = Path("/usr/bin/chromium")
# A host name that leads to this machine, but that browsers trust as little as any other without TLS.
ELSEWHERE = "wsecho.test"
# The popups of the address bar are pages, made anew for each window, which cost more than the test client. The other
# features are those that Playwright switches off, because this list replaces its own.
_FEATURES_OFF = """
    WebUIOmniboxPopup WebUIOmniboxAimPopup
    AimEnabled AvoidCorsURLLoaderRestartOnRedirect AvoidUnnecessaryBeforeUnloadCheckSync DestroyProfileOnBrowserClose
    HttpsFirstBalancedModeAutoEnable HttpsUpgrades LensOverlay MediaRouter NetworkTimeServiceQuerying OptimizationHints
    PaintHolding PreconnectToSearch ThirdPartyStoragePartitioning
"""
CHROMIUM_ARGS = [
    f"--disable-features={','.join(_FEATURES_OFF.split())}",
    f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-precise-memory-info",
]
# What the browser itself writes of a WebSocket that does not open or is cut off, and of a request without success.
FAILED_CONNECTION = "WebSocket connection to "
FAILED_REQUEST = "Failed to load resource"
# The rows of the log, without its head.
ROWS = ".line:not([hidden])"

expect.set_options(timeout=PATIENCE * 1000)


class Client:
    """The page. What the browser complains about is collected in `problems`, what it asks for in `requests`. Complaints
    that match one of the regular expressions in `allowed` are expected: a complaint can come long after its cause.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.allowed: list[str] = []
        self.requests: list[str] = []
        self.url = page.get_by_label("URL", exact=True)
        self.connect_button = page.get_by_role("button", name="Connect", exact=True)
        self.disconnect_button = page.get_by_role("button", name="Disconnect", exact=True)
        self.state = page.locator("#bar [data-state]").first
        self.token = page.get_by_label(re.compile("^Token"))
        self.log = page.get_by_role("grid", name="Messages")
        self.rows = page.locator(ROWS)
        self.filter = page.get_by_label("Filter: text or /expression/")
        self.composer = page.get_by_role("region", name="Composer")
        self.message = self.composer.get_by_role("textbox")
        self.send_button = self.composer.get_by_role("button", name="end", exact=False).first
        self.panel = page.get_by_role("tabpanel")
        self._watch()

    def _watch(self) -> None:
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error('CSP violation', event.violatedDirective, event.blockedURI))"
        )
        # The page and its workers write nothing to the console, so whatever is there is a problem.
        self.page.on("console", lambda message: self.problems.append(message.text))
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.context.on("request", lambda request: self.requests.append(request.url))

    def unexpected_problems(self) -> list[str]:
        """Return what the browser complained about and was not expected."""
        return [text for text in self.problems if not any(re.search(pattern, text) for pattern in self.allowed)]

    def foreign_requests(self) -> list[str]:
        """Return what the page asked other servers for."""
        own = (*({_origin(url) for url in self.requests[:1]}), "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]

    def open(self, url: str) -> None:
        """Load the page and wait until its views are there."""
        self.page.goto(url)
        expect(self.log).to_be_visible()

    def connect(self, url: str | None = None) -> None:
        """Connect, and wait until the connection is open."""
        if url is not None:
            self.url.fill(url)
        self.connect_button.click()
        expect(self.disconnect_button).to_be_visible()

    def fill_token(self, token: str) -> None:
        """Fill in the token, which is among the options of the connection."""
        if not self.token.is_visible():
            self.page.get_by_role("button", name="Options").click()
        self.token.fill(token)

    def send(self, text: str) -> None:
        """Send `text` with the Enter key."""
        self.message.fill(text)
        self.message.press("Enter")

    def row(self, text: str) -> Locator:
        """Return the rows in view that contain `text`."""
        return self.rows.filter(has_text=text)

    def tab(self, name: str) -> Locator:
        """Return the tab of a panel."""
        return self.page.get_by_role("tab", name=name, exact=True)

    def copied(self, copy: Callable[[], None]) -> str:
        """Call `copy`; return what the clipboard has then. The browser writes to it a moment later."""
        self.page.evaluate("navigator.clipboard.writeText('')")
        copy()
        # `wait_for_function` takes a promise itself for true.
        return str(
            self.page.evaluate("""async () => {
              let text;
              while (!(text = await navigator.clipboard.readText())) await new Promise((done) => setTimeout(done, 20));
              return text;
            }""")
        )

    def context(self, script: str, argument: Any = None) -> Any:
        """Return what a function returns that gets the context of the views and `argument`."""
        return self.page.evaluate(in_context(script), argument)

    def fill_log(self, count: int) -> None:
        """Append `count` rows of text, as if they had been sent and received."""
        self.context(
            """({ connections: { active } }, count) => {
              for (let number = 0; number < count; number += 1) {
                const direction = number % 2 ? "received" : "sent";
                const payload = `{"number":${number},"text":"message number ${number}"}`;
                const time = 1700000000000 + number;
                active.log.append({ time, direction, kind: "json", size: payload.length, payload, roundTrip: 1.5 });
              }
              active.emit("rows");
            }""",
            count,
        )


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/"
