"""Internal errors in a place that all connections depend on: they are reported and counted, and that place goes on."""

import asyncio
from collections.abc import Callable


def report(loop: asyncio.AbstractEventLoop, place: str, error: Exception) -> None:
    """Pass an error that was caught to the event loop's exception handler. Never raises.

    `place` is one of `wsecho.counting.row.PLACES`.
    """
    try:
        loop.call_exception_handler({"message": f"{place} failed", "exception": error, "place": place})
    except Exception:
        # There may be too little memory even for the report. The place must go on all the same.
        return


def run_guarded(loop: asyncio.AbstractEventLoop, place: str, step: Callable[[], None]) -> bool:
    """Call `step` and report an error that it raises. Return whether it raised none."""
    try:
        step()
    except Exception as error:
        report(loop, place, error)
        return False
    return True
