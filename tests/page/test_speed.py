"""What the page costs under load, and how soon it is there. An empty page in the same browser is measured first.

Modules: `line`, `load`, `report`, `batch`, `packed`.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.page.client import CHROMIUM
from tests.page.devtools import DevTools
from tests.page.scripts import MEASURE
from tests.page.speed import IS_JUDGED, demand
from tests.shared.server import RunningServer

WATCH = """() => {
  const seen = (window.seen = { frames: 0, longest: 0, tasks: 0, start: performance.now() });
  const add = (list) => {
    for (const { duration } of list) {
      seen.longest = Math.max(seen.longest, duration);
      seen.tasks += 1;
    }
  };
  const observer = new PerformanceObserver((list) => add(list.getEntries()));
  observer.observe({ entryTypes: ["longtask"] });
  const frame = () => { seen.frames += 1; window.seen === seen && requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
  window.stopWatching = () => {
    add(observer.takeRecords());
    observer.disconnect();
    window.seen = null;
    return { ...seen, rate: (seen.frames * 1000) / (performance.now() - seen.start) };
  };
}"""
UNTIL_RECEIVED = """async ({ connections: { active } }, { url, count }) => {
  active.options = { ...active.options, url };
  active.connect();
  while (active.counts.received < count && active.state.name !== "failed") {
    await new Promise((done) => setTimeout(done, 50));
  }
  return active.counts;
}"""
KEPT = """({ connections: { active: { log, counts } } }) => {
  let received = 0;
  for (let id = log.firstId; id < log.endId; id += 1) received += log.get(id).direction === "received";
  return received + log.dropped + counts.notKept;
}"""
FIRST_PAINT = """async () => {
  const painted = () => performance.getEntriesByName("first-contentful-paint")[0];
  while (!painted()) await new Promise((done) => setTimeout(done, 20));
  return painted().startTime;
}"""
ELEMENTS = "() => document.querySelectorAll('*').length"


@pytest.fixture
def browser() -> Iterator[DevTools]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing: install the Debian package chromium")
    with DevTools() as running:
        yield running


def watched_empty(browser: DevTools) -> dict[str, Any]:
    """Return frames a second and the longest task of an empty page. Nothing is measured where nothing is judged."""
    if not IS_JUDGED:
        return {}
    browser.evaluate(WATCH)
    browser.evaluate("() => new Promise((done) => setTimeout(done, 2000))")
    found: dict[str, Any] = browser.evaluate("() => stopWatching()")
    return found


def test_a_flood_is_counted_exactly_and_leaves_the_page_its_frames(browser: DevTools, server: RunningServer) -> None:
    count = 200_000 if IS_JUDGED else 50_000
    empty = watched_empty(browser)
    browser.open(server.http_url + "/")
    browser.evaluate(WATCH)
    counts = browser.context(UNTIL_RECEIVED, {"url": f"{server.ws_url}/ws/flood/{count}/20", "count": count})
    seen = browser.evaluate("() => stopWatching()")
    assert (counts["received"], counts["receivedBytes"]) == (count, 20 * count)
    assert browser.context(KEPT) >= count
    assert browser.evaluate(ELEMENTS) < 2000
    demand(seen["rate"] >= 30, f"flood: {seen}; empty page: {empty}")


def test_five_thousand_a_second_without_a_long_task(browser: DevTools, server: RunningServer) -> None:
    seconds = 10 if IS_JUDGED else 2
    empty = watched_empty(browser)
    browser.open(server.http_url + "/")
    browser.evaluate(WATCH)
    payload = {"size": 20, "filling": "counter"}
    found = browser.context(MEASURE, {"mode": "interval", "interval": 0.2, "seconds": seconds, "payload": payload})
    seen = browser.evaluate("() => stopWatching()")
    assert found["sent"] + found["skipped"] == 5000 * seconds
    assert (found["received"], found["lost"], found["altered"], found["duplicated"]) == (found["sent"], 0, 0, 0)
    figures = {name: found[name] for name in ("sent", "elapsed", "percentiles", "counts")}
    demand(seen["longest"] < 100, f"5,000/s: {figures}; {seen}; empty page: {empty}")


def test_very_many_messages_fit_into_memory(browser: DevTools, server: RunningServer) -> None:
    # More than the log keeps. A million takes minutes on a busy machine.
    count = 1_000_000 if IS_JUDGED else 120_000
    browser.open(server.http_url + "/")
    counts = browser.context(UNTIL_RECEIVED, {"url": f"{server.ws_url}/ws/flood/{count}/20", "count": count})
    assert counts["received"] == count
    browser.call("HeapProfiler.collectGarbage")
    used = browser.evaluate("() => performance.memory.usedJSHeapSize")
    print(f"heap after {count:,} messages: {used / 2**20:.1f} MiB")
    assert used < 150 * 2**20
    assert browser.evaluate(ELEMENTS) < 2000


def test_the_first_paint_comes_early(browser: DevTools, server: RunningServer) -> None:
    browser.call("Network.setCacheDisabled", cacheDisabled=True)
    paints = []
    # At first the browser is busy with its own start.
    for _ in range(6):
        browser.call("Page.navigate", url="about:blank")
        browser.open(server.http_url + "/")
        paints.append(browser.evaluate(FIRST_PAINT))
    demand(sorted(paints[1:])[2] < 300, f"first paints after {[round(paint) for paint in paints]} ms")
