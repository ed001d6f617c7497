"""Decides when a connection is due for a ping, and when it has been silent, idle, open or sending too fast for too
long. It computes only with counts and `now`, without a clock or a socket.
"""

from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import Literal, Self

from wsecho.options.config import Config

# A connection is checked so many times per interval, so silence is noticed at most a quarter of the interval late.
_CHECKS_PER_INTERVAL = 4
# The unused allowance of so many seconds is saved for a burst.
_BURST_SECONDS = 5.0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Limits:
    """Time limits in seconds, rate limits in frames and bytes a second. 0 means no limit.

    `ping_check` and `idle_check` are the seconds between two checks for silence and for idle time.
    """

    ping_interval: float
    ping_timeout: float
    idle_timeout: float
    max_lifetime: float
    max_frame_rate: float
    max_byte_rate: float
    ping_check: float = field(init=False)
    idle_check: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ping_check", self.ping_interval / _CHECKS_PER_INTERVAL or inf)
        object.__setattr__(self, "idle_check", self.idle_timeout / _CHECKS_PER_INTERVAL or inf)

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the limits that the options set."""
        return cls(*(getattr(config, limit.name) for limit in fields(cls) if limit.init))

    def exceeds_burst(self, size: int) -> bool:
        """Return whether `size` bytes are more than the byte rate limit allows in one burst."""
        return 0 < self.max_byte_rate * _BURST_SECONDS < size


class Keepalive:
    """The keepalive state of one connection. Times are those of a monotonic clock, in seconds."""

    __slots__ = (
        *("_allowed_bytes", "_allowed_frames", "_bytes", "_checked_at", "_factor", "_frames", "_last_message_at"),
        *("_last_received_at", "_limits", "_messages", "_opened_at", "_pinged_at"),
    )

    def __init__(self, limits: Limits, now: float, jitter: float) -> None:
        """`jitter`, between 0 and 1, keeps many connections from reaching their limits at the same moment."""
        self._limits = limits
        self._opened_at = self._checked_at = now
        # When bytes last came from the peer, when its last message was complete, and when it was pinged because it was
        # silent.
        self._last_received_at = self._last_message_at = now
        self._pinged_at: float | None = None
        self._bytes = self._frames = self._messages = 0
        self._allowed_frames = limits.max_frame_rate * _BURST_SECONDS
        self._allowed_bytes = limits.max_byte_rate * _BURST_SECONDS
        self._factor = 0.9 + 0.2 * jitter

    def check(
        self, now: float, *, bytes_received: int, frames: int, messages: int, blocked: bool
    ) -> Literal["ping", "silence", "idle", "lifetime", "rate"] | None:
        """Return what is due: a ping, or the reason why the connection must end. The counts are since the opening.

        The server does not read from a `blocked` connection, so its peer does not count as silent. If the peer is what
        blocks it, the stall timeout ends it.
        """
        limits = self._limits
        too_fast = self._is_too_fast(now - self._checked_at, bytes_received - self._bytes, frames - self._frames)
        if blocked or bytes_received != self._bytes:
            self._last_received_at = now
            self._pinged_at = None
        if messages != self._messages:
            self._last_message_at = now
        self._checked_at, self._bytes, self._frames, self._messages = now, bytes_received, frames, messages
        if too_fast:
            return "rate"
        # Jitter shortens a lifetime and never extends it: a proxy that ends connections at a fixed age does not wait.
        if limits.max_lifetime and now - self._opened_at >= limits.max_lifetime * (self._factor - 0.1):
            return "lifetime"
        if limits.idle_timeout and now - self._last_message_at >= limits.idle_timeout:
            return "idle"
        return self._check_silence(now)

    def _check_silence(self, now: float) -> Literal["ping", "silence"] | None:
        limits = self._limits
        if not limits.ping_interval:
            return None
        if self._pinged_at is not None:
            return "silence" if limits.ping_timeout and now - self._pinged_at >= limits.ping_timeout else None
        if now - self._last_received_at >= limits.ping_interval * self._factor:
            self._pinged_at = now
            return "ping"
        return None

    def stop_pings(self) -> None:
        """Send the client no ping from here on, however silent it is."""
        self._limits = replace(self._limits, ping_interval=0.0)

    def _is_too_fast(self, seconds: float, new_bytes: int, new_frames: int) -> bool:
        """Refill the allowances for `seconds`, subtract what was received, and tell whether one of them is used up."""
        limits = self._limits
        fast = False
        if limits.max_frame_rate:
            self._allowed_frames = _refilled(self._allowed_frames, limits.max_frame_rate, seconds) - new_frames
            fast = self._allowed_frames < 0
        if limits.max_byte_rate:
            self._allowed_bytes = _refilled(self._allowed_bytes, limits.max_byte_rate, seconds) - new_bytes
            fast = fast or self._allowed_bytes < 0
        return fast

    def next_check(self, now: float) -> float | None:
        """Return the time of the next check, or None if there is no limit to check."""
        limits = self._limits
        if limits.max_frame_rate or limits.max_byte_rate:
            return now + 1
        when = now + min(limits.ping_check * self._factor, limits.idle_check)
        if limits.max_lifetime:
            when = max(now, min(when, self._opened_at + limits.max_lifetime * (self._factor - 0.1)))
        return when if when < inf else None


def _refilled(allowance: float, rate: float, seconds: float) -> float:
    return min(allowance + rate * seconds, rate * _BURST_SECONDS)
