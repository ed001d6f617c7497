"""What is due when, on a clock that the test turns."""

from dataclasses import replace
from typing import Any

import pytest

from wsecho.connections.keepalive import Lifetime, Limits
from wsecho.connections.timers import Schedule, Scheduled

NONE = Limits(ping_interval=0, ping_timeout=0, idle_timeout=0, max_lifetime=0, max_frame_rate=0, max_byte_rate=0)
MIDDLE = 0.5  # a jitter that changes no ping interval


def look(
    lifetime: Lifetime,
    now: float,
    *,
    bytes_received: int = 0,
    frames: int = 0,
    messages: int = 0,
    blocked: bool = False,
) -> str | None:
    return lifetime.look(now, bytes_received=bytes_received, frames=frames, messages=messages, blocked=blocked)


def test_without_limits_nothing_is_ever_due() -> None:
    lifetime = Lifetime(NONE, 0.0, MIDDLE)
    assert lifetime.next_look(0.0) is None
    assert look(lifetime, 1e9, bytes_received=10**15, frames=10**12) is None


def test_a_silent_peer_is_pinged_once_and_then_given_up() -> None:
    lifetime = Lifetime(replace(NONE, ping_interval=20, ping_timeout=20), 100.0, MIDDLE)
    assert lifetime.next_look(100.0) == 105.0
    assert look(lifetime, 119.9) is None
    assert look(lifetime, 120.0) == "ping"
    assert look(lifetime, 139.9) is None
    assert look(lifetime, 140.0) == "silence"


def test_whoever_is_heard_is_not_pinged_and_a_pong_is_a_sign_of_life() -> None:
    lifetime = Lifetime(replace(NONE, ping_interval=20, ping_timeout=20), 0.0, MIDDLE)
    assert look(lifetime, 19.0, bytes_received=1) is None
    assert look(lifetime, 38.0, bytes_received=1) is None
    assert look(lifetime, 39.0, bytes_received=1) == "ping"
    assert look(lifetime, 58.0, bytes_received=15) is None
    assert look(lifetime, 77.0, bytes_received=15) is None
    assert look(lifetime, 78.0, bytes_received=15) == "ping"


def test_a_ping_timeout_of_0_never_ends_anybody() -> None:
    lifetime = Lifetime(replace(NONE, ping_interval=20), 0.0, MIDDLE)
    assert look(lifetime, 20.0) == "ping"
    assert look(lifetime, 1e6) is None


def test_who_is_not_read_from_cannot_be_silent() -> None:
    lifetime = Lifetime(replace(NONE, ping_interval=20, ping_timeout=20), 0.0, MIDDLE)
    assert look(lifetime, 20.0) == "ping"
    assert look(lifetime, 60.0, blocked=True) is None
    assert look(lifetime, 79.0) is None
    assert look(lifetime, 80.0) == "ping"


def test_pings_are_spread_by_a_tenth_and_lifetimes_shortened_by_up_to_a_fifth() -> None:
    limits = replace(NONE, ping_interval=20, max_lifetime=100)
    early, late = Lifetime(limits, 0.0, 0.0), Lifetime(limits, 0.0, 1.0)
    assert (look(early, 17.9), look(early, 18.0)) == (None, "ping")
    assert (look(late, 21.9), look(late, 22.1)) == (None, "ping")
    assert (look(early, 79.9), look(early, 80.1)) == (None, "lifetime")
    assert (look(late, 99.9), look(late, 100.1)) == (None, "lifetime")
    assert early.next_look(79.0) == 80.0


def test_only_messages_keep_a_connection_from_being_idle() -> None:
    lifetime = Lifetime(replace(NONE, idle_timeout=60), 0.0, MIDDLE)
    assert look(lifetime, 59.0, bytes_received=100, frames=5, messages=1) is None
    assert look(lifetime, 118.0, bytes_received=900, frames=50, messages=1) is None
    assert look(lifetime, 119.0, bytes_received=900, frames=50, messages=1) == "idle"


def test_a_rate_may_be_exceeded_for_a_burst_and_not_for_long() -> None:
    limits = replace(NONE, max_frame_rate=100)
    at_the_limit, over_it = Lifetime(limits, 0.0, MIDDLE), Lifetime(limits, 0.0, MIDDLE)
    assert at_the_limit.next_look(0.0) == 1.0
    assert look(at_the_limit, 0.0, frames=500) is None
    assert look(over_it, 0.0, frames=501) == "rate"
    for second in range(1, 50):
        assert look(at_the_limit, float(second), frames=500 + 100 * second) is None
    assert look(at_the_limit, 50.0, frames=500 + 100 * 50 + 1) == "rate"


def test_bytes_are_limited_like_frames() -> None:
    lifetime = Lifetime(replace(NONE, max_byte_rate=1000), 0.0, MIDDLE)
    assert look(lifetime, 10.0, bytes_received=5000, frames=10**6) is None
    assert look(lifetime, 11.0, bytes_received=6001) == "rate"


class Waiting:
    def __init__(self) -> None:
        self.sweep: int | None = None

    def look(self, now: float) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


def test_the_schedule_yields_each_at_the_first_sweep_after_its_time() -> None:
    schedule = Schedule(100.0, 1.0)
    soon, later, gone, past = Waiting(), Waiting(), Waiting(), Waiting()
    schedule.put(soon, 101.5)
    schedule.put(later, 110.0)
    schedule.put(gone, 101.5)
    schedule.put(past, 3.0)
    schedule.discard(gone)
    assert schedule.due(101.4) == [past]
    assert schedule.due(101.9) == []
    assert schedule.due(102.0) == [soon]
    schedule.put(later, 104.2)
    # A sweep that comes late finds what several should have.
    assert schedule.due(120.0) == [later]
    assert (later.sweep, gone.sweep) == (None, None)


def test_the_schedule_loses_nobody_where_memory_ends() -> None:
    class Failing(dict[int, set[Scheduled]]):
        """Ends after the first sweep was looked up."""

        failed = False

        def get(self, sweep: int, default: object = None) -> Any:
            if sweep > 102 and not self.failed:
                self.failed = True
                raise MemoryError
            return super().get(sweep, default)  # type: ignore[call-overload]

    schedule = Schedule(100.0, 1.0)
    schedule._waiting = Failing()
    first, second = Waiting(), Waiting()
    schedule.put(first, 101.0)
    schedule.put(second, 102.0)
    with pytest.raises(MemoryError):
        schedule.due(104.0)
    assert schedule.due(104.0) == [first, second]
