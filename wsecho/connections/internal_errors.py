"""What fails in us, in a place that all connections depend on: it is told and counted, and the place goes on."""

import asyncio
from collections.abc import Callable


def report(loop: asyncio.AbstractEventLoop, place: str, error: Exception) -> None:
    """Let the loop's handler know of an error that was survived. `place` is one of `counters.PLACES`. Never raises."""
    try:
        loop.call_exception_handler({"message": f"{place} failed", "exception": error, "place": place})
    except Exception:
        # Whoever has no memory even to say so must go on all the same.
        return


def survive(loop: asyncio.AbstractEventLoop, place: str, step: Callable[[], None]) -> bool:
    """Do `step`, and tell of an error; return whether there was none."""
    try:
        step()
    except Exception as error:
        report(loop, place, error)
        return False
    return True
