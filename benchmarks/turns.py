"""wsecho with a watch on its event loop: `python -m benchmarks.turns` takes wsecho's options.

A callback that asks to be called again marks each turn of the loop. While a turn lasts nothing is echoed, so how long
turns last is what a scrape of /metrics can cost an echo. They are told in CPU time of the loop's thread: what the host
of a virtual machine, or another process, takes away is no part of it. At the end the long ones are written out.
"""

import json
import sys
import time
from array import array
from asyncio import AbstractEventLoop
from collections.abc import Sequence

import uvloop

from wsecho import cli

SHORTEST_SECONDS = 20e-6  # what a turn with nothing to do never needs
UTILISATION = 0.5  # of the open loop


class Watch:
    """Marks the turns of a loop. `turns` has of each long one when it ended, and its CPU time, in seconds."""

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
    """How long this share of the messages that are due within a second has to wait at least, because of these turns.

    One that is due t after the beginning of a turn of length g waits g - (1 - u) t at utilisation u: for the rest of
    the turn, and behind all that came before it. So a turn makes (g - x) / (1 - u) of them wait longer than x.
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
