"""Timers: at which sweep each connection is due; the test sets the time."""

from typing import Any

import pytest

from wsecho.connections.timers import Timed, Timers


class Waiting:
    def __init__(self) -> None:
        self.sweep: int | None = None

    def check(self, now: float) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


def test_timers_return_each_connection_at_the_first_sweep_after_its_time() -> None:
    timers = Timers(100.0, 1.0)
    soon, later, gone, past = Waiting(), Waiting(), Waiting(), Waiting()
    timers.put(soon, 101.5)
    timers.put(later, 110.0)
    timers.put(gone, 101.5)
    timers.put(past, 3.0)
    timers.discard(gone)
    assert timers.due(101.4) == [past]
    assert timers.due(101.9) == []
    assert timers.due(102.0) == [soon]
    timers.put(later, 104.2)
    # A late sweep finds the connections of all sweeps that were missed.
    assert timers.due(120.0) == [later]
    assert (later.sweep, gone.sweep) == (None, None)


def test_timers_lose_no_connection_when_memory_runs_out() -> None:
    class Failing(dict[int, set[Timed]]):
        """Raises MemoryError once, after the first sweep was looked up."""

        failed = False

        def get(self, sweep: int, default: object = None) -> Any:
            if sweep > 102 and not self.failed:
                self.failed = True
                raise MemoryError
            return super().get(sweep, default)  # type: ignore[call-overload]

    timers = Timers(100.0, 1.0)
    timers._waiting = Failing()
    first, second = Waiting(), Waiting()
    timers.put(first, 101.0)
    timers.put(second, 102.0)
    with pytest.raises(MemoryError):
        timers.due(104.0)
    assert timers.due(104.0) == [first, second]
