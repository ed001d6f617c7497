"""When a connection gets a ping, and when it was silent, idle, open or fast for too long; the test sets the time."""

from dataclasses import replace

from wsecho.connections.keepalive import Keepalive, Limits

NONE = Limits(ping_interval=0, ping_timeout=0, idle_timeout=0, max_lifetime=0, max_frame_rate=0, max_byte_rate=0)
MIDDLE = 0.5  # a jitter that does not change a ping interval


def check(
    lifetime: Keepalive,
    now: float,
    *,
    bytes_received: int = 0,
    frames: int = 0,
    messages: int = 0,
    blocked: bool = False,
) -> str | None:
    return lifetime.check(now, bytes_received=bytes_received, frames=frames, messages=messages, blocked=blocked)


def test_without_limits_nothing_is_ever_due() -> None:
    lifetime = Keepalive(NONE, 0.0, MIDDLE)
    assert lifetime.next_check(0.0) is None
    assert check(lifetime, 1e9, bytes_received=10**15, frames=10**12) is None


def test_a_silent_peer_is_pinged_once_and_then_given_up() -> None:
    lifetime = Keepalive(replace(NONE, ping_interval=20, ping_timeout=20), 100.0, MIDDLE)
    assert lifetime.next_check(100.0) == 105.0
    assert check(lifetime, 119.9) is None
    assert check(lifetime, 120.0) == "ping"
    assert check(lifetime, 139.9) is None
    assert check(lifetime, 140.0) == "silence"


def test_a_client_that_sends_is_not_pinged_and_a_pong_counts_as_sending() -> None:
    lifetime = Keepalive(replace(NONE, ping_interval=20, ping_timeout=20), 0.0, MIDDLE)
    assert check(lifetime, 19.0, bytes_received=1) is None
    assert check(lifetime, 38.0, bytes_received=1) is None
    assert check(lifetime, 39.0, bytes_received=1) == "ping"
    assert check(lifetime, 58.0, bytes_received=15) is None
    assert check(lifetime, 77.0, bytes_received=15) is None
    assert check(lifetime, 78.0, bytes_received=15) == "ping"


def test_a_ping_timeout_of_0_never_ends_anybody() -> None:
    lifetime = Keepalive(replace(NONE, ping_interval=20), 0.0, MIDDLE)
    assert check(lifetime, 20.0) == "ping"
    assert check(lifetime, 1e6) is None


def test_a_client_that_is_not_read_from_is_not_silent() -> None:
    lifetime = Keepalive(replace(NONE, ping_interval=20, ping_timeout=20), 0.0, MIDDLE)
    assert check(lifetime, 20.0) == "ping"
    assert check(lifetime, 60.0, blocked=True) is None
    assert check(lifetime, 79.0) is None
    assert check(lifetime, 80.0) == "ping"


def test_pings_are_spread_by_a_tenth_and_lifetimes_shortened_by_up_to_a_fifth() -> None:
    limits = replace(NONE, ping_interval=20, max_lifetime=100)
    early, late = Keepalive(limits, 0.0, 0.0), Keepalive(limits, 0.0, 1.0)
    assert (check(early, 17.9), check(early, 18.0)) == (None, "ping")
    assert (check(late, 21.9), check(late, 22.1)) == (None, "ping")
    assert (check(early, 79.9), check(early, 80.1)) == (None, "lifetime")
    assert (check(late, 99.9), check(late, 100.1)) == (None, "lifetime")
    assert early.next_check(79.0) == 80.0


def test_the_next_check_is_for_the_first_limit_that_can_be_reached() -> None:
    silence, idle = replace(NONE, ping_interval=20), replace(NONE, idle_timeout=60)
    assert Keepalive(silence, 100.0, 1.0).next_check(100.0) == 100.0 + 5 * 1.1
    assert Keepalive(idle, 100.0, 1.0).next_check(100.0) == 115.0
    assert Keepalive(replace(silence, idle_timeout=16), 100.0, 1.0).next_check(100.0) == 104.0
    aged = Keepalive(replace(NONE, max_lifetime=100), 100.0, MIDDLE)
    assert (aged.next_check(100.0), aged.next_check(250.0)) == (190.0, 250.0)
    assert Keepalive(replace(silence, max_lifetime=100), 100.0, MIDDLE).next_check(187.0) == 190.0
    silenced = Keepalive(replace(silence, idle_timeout=60), 100.0, MIDDLE)
    silenced.stop_pings()
    assert silenced.next_check(100.0) == 115.0


def test_only_messages_keep_a_connection_from_being_idle() -> None:
    lifetime = Keepalive(replace(NONE, idle_timeout=60), 0.0, MIDDLE)
    assert check(lifetime, 59.0, bytes_received=100, frames=5, messages=1) is None
    assert check(lifetime, 118.0, bytes_received=900, frames=50, messages=1) is None
    assert check(lifetime, 119.0, bytes_received=900, frames=50, messages=1) == "idle"


def test_a_rate_may_be_exceeded_for_a_burst_and_not_for_long() -> None:
    limits = replace(NONE, max_frame_rate=100)
    at_the_limit, over_it = Keepalive(limits, 0.0, MIDDLE), Keepalive(limits, 0.0, MIDDLE)
    assert at_the_limit.next_check(0.0) == 1.0
    assert check(at_the_limit, 0.0, frames=500) is None
    assert check(over_it, 0.0, frames=501) == "rate"
    for second in range(1, 50):
        assert check(at_the_limit, float(second), frames=500 + 100 * second) is None
    assert check(at_the_limit, 50.0, frames=500 + 100 * 50 + 1) == "rate"


def test_bytes_are_limited_like_frames() -> None:
    lifetime = Keepalive(replace(NONE, max_byte_rate=1000), 0.0, MIDDLE)
    assert check(lifetime, 10.0, bytes_received=5000, frames=10**6) is None
    assert check(lifetime, 11.0, bytes_received=6001) == "rate"
