"""What the log costs with 100,000 rows, beside an empty page in the same browser.

Costs are CPU time of the page's main thread: on a busy machine a task can last long because the thread has to wait.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect

from tests.page.client import Client
from tests.page.speed import demand

ROWS = 100_000
FRAMES = 120
# Most ms for a frame of scrolling and for a search through all rows.
FRAME = 50
SEARCH = 300

SCROLL = """async ([kind, count]) => {
  const rows = document.querySelector(".log-rows");
  for (let step = 0; step < count; step += 1) {
    if (kind === "jump") rows.scrollTop = (rows.scrollHeight * ((step * 7919) % count)) / count;
    if (kind === "wheel") rows.scrollTop -= 200;
    await new Promise(requestAnimationFrame);
  }
}"""


class Cost:
    """CPU time of the main thread, in ms."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self.spent = 0.0

    def _total(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return 1000 * float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Set `spent` to what the block costs."""
        before = self._total()
        yield
        self.spent = self._total() - before


@pytest.fixture
def filled(client: Client) -> Client:
    """The page with many rows."""
    client.fill_log(ROWS)
    expect(client.row("message number 99999")).to_be_visible()
    return client


@pytest.mark.parametrize("kind", ["jump", "wheel"])
def test_scrolling_through_many_rows_leaves_time_in_each_frame(filled: Client, kind: str) -> None:
    empty = filled.page.context.new_page()
    spent = []
    for page, scroll in ((empty, SCROLL.replace("rows.", "({}).")), (filled.page, SCROLL)):
        cost = Cost(page)
        page.bring_to_front()
        page.evaluate(scroll, ["warm", 10])
        with cost.measured():
            page.evaluate(scroll, [kind, FRAMES])
        spent.append(cost.spent / FRAMES)
    empty.close()
    demand(spent[1] - spent[0] <= FRAME, f"{kind}: {spent[1]:.1f} ms a frame, empty page {spent[0]:.1f} ms")


def test_filtering_many_rows_is_quick_and_in_slices(filled: Client) -> None:
    cost = Cost(filled.page)
    with cost.measured():
        slices = filled.page.evaluate("""async () => {
          const filter = document.querySelector("input[type=search]");
          filter.value = "number 4242";
          filter.dispatchEvent(new Event("input"));
          const notes = document.querySelector(".log-notes");
          let turns = 0;
          for (; !notes.textContent.includes("11 of"); turns += 1) await new Promise((done) => setTimeout(done, 0));
          return turns;
        }""")
    assert slices > 2
    demand(cost.spent <= SEARCH, f"search: {cost.spent:.0f} ms in at least {slices} turns")
