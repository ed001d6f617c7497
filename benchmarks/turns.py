"""Runs wsecho and measures the iterations ("turns") of its event loop: `python -m benchmarks.turns OPTIONS OF WSECHO`.

A callback that schedules itself again marks each iteration. A message that arrives during an iteration is echoed in a
later one, so the length of the iterations shows how much a scrape of /metrics can delay an echo. They are measured in
CPU time of the event loop's thread, which excludes time that other processes or the host of a virtual machine take. At
the end the long iterations are printed as JSON.
"""

import json
import sys
import time
from array import array
from asyncio import AbstractEventLoop
from collections.abc import Sequence

import uvloop

from wsecho import cli

SHORTEST_SECONDS = 20e-6  # an iteration without work is always shorter
UTILISATION = 0.5  # share of the time that the server is busy in the open loop


class Watch:
    """Measures the iterations of an event loop.

    `turns` has two values for each long iteration: the monotonic time of its end and its CPU time, in seconds.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.turns = array("d")
        self._loop = loop
        self._began = time.thread_time()
        loop.call_soon(self._turn)

    def _turn(self) -> None:
        now = time.thread_time()
        if now - self._began >= SHORTEST_SECONDS:
            self.turns.extend((time.monotonic(), now - self._began))
        self._began = now
        self._loop.call_soon(self._turn)


def late(turns: Sequence[float], share: float) -> float:
    """Return the least time that the given share of the messages of one second must wait because of these iterations.

    At utilisation u, a message that is due at time t after the beginning of an iteration of length g waits
    g - (1 - u) t: for the rest of the iteration, and for the messages that were due before it. So those that are due
    in the first (g - x) / (1 - u) seconds wait longer than x.
    """
    low, high = 0.0, max(turns, default=0.0)
    for _ in range(40):
        middle = (low + high) / 2
        waiting = sum(max(0.0, turn - middle) for turn in turns) / (1 - UTILISATION)
        low, high = (middle, high) if waiting > share else (low, middle)
    return high


def main() -> int:
    watches = []
    make = uvloop.new_event_loop

    def watched() -> AbstractEventLoop:
        loop = make()
        watches.append(Watch(loop))
        return loop

    uvloop.new_event_loop = watched  # type: ignore[assignment]
    code = cli.main()
    print(json.dumps({"turns": [list(watch.turns) for watch in watches]}), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
