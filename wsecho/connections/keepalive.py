"""How long a connection may live, idle and be silent, and how fast it may send: decided from few numbers and `now`."""

from dataclasses import dataclass, fields
from typing import Literal, Self

from wsecho.options.config import Config

# A silent peer is noticed within this part of the ping interval.
_LOOKS_PER_INTERVAL = 4
# Who has been slow may make up for it for so many seconds.
_BURST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, rates in frames and bytes a second. 0 is no limit."""

    ping_interval: float
    ping_timeout: float
    idle_timeout: float
    max_lifetime: float
    max_frame_rate: float
    max_byte_rate: float

    @classmethod
    def of(cls, config: Config) -> Self:
        """Return the limits that the options ask for."""
        return cls(*(getattr(config, limit.name) for limit in fields(cls)))

    def forbid(self, size: int) -> bool:
        """Tell whether `size` bytes are more than anybody may send at once."""
        return 0 < self.max_byte_rate * _BURST_SECONDS < size


class Keepalive:
    """One connection's. Times are those of a monotonic clock, in seconds."""

    __slots__ = (
        *("_allowed_bytes", "_allowed_frames", "_bytes", "_frames", "_heard", "_limits", "_looked", "_messages"),
        *("_moved", "_opened", "_pinged", "_stretch"),
    )

    def __init__(self, limits: Limits, now: float, jitter: float) -> None:
        """`jitter`, 0 to 1, spreads what would otherwise happen to many connections at the same moment."""
        self._limits = limits
        self._opened = self._looked = now
        # When the peer was last heard, when its last message ended, when it was pinged for its silence.
        self._heard = self._moved = now
        self._pinged: float | None = None
        self._bytes = self._frames = self._messages = 0
        self._allowed_frames = limits.max_frame_rate * _BURST_SECONDS
        self._allowed_bytes = limits.max_byte_rate * _BURST_SECONDS
        self._stretch = 0.9 + 0.2 * jitter

    def check(
        self, now: float, *, bytes_received: int, frames: int, messages: int, blocked: bool
    ) -> Literal["ping", "silence", "idle", "lifetime", "rate"] | None:
        """Say what is due: a ping, or the end for one of four reasons. The numbers are those since the opening.

        A `blocked` peer is not read from, so it cannot be heard: the stall limit is what ends it, if that is its doing.
        """
        limits = self._limits
        too_fast = self._is_too_fast(now - self._looked, bytes_received - self._bytes, frames - self._frames)
        if blocked or bytes_received != self._bytes:
            self._heard = now
            self._pinged = None
        if messages != self._messages:
            self._moved = now
        self._looked, self._bytes, self._frames, self._messages = now, bytes_received, frames, messages
        if too_fast:
            return "rate"
        # Maximum lifetimes get shorter by the jitter, never longer: what ends connections from outside has no patience.
        if limits.max_lifetime and now - self._opened >= limits.max_lifetime * (self._stretch - 0.1):
            return "lifetime"
        if limits.idle_timeout and now - self._moved >= limits.idle_timeout:
            return "idle"
        return self._silence(now)

    def _silence(self, now: float) -> Literal["ping", "silence"] | None:
        limits = self._limits
        if not limits.ping_interval:
            return None
        if self._pinged is not None:
            return "silence" if limits.ping_timeout and now - self._pinged >= limits.ping_timeout else None
        if now - self._heard >= limits.ping_interval * self._stretch:
            self._pinged = now
            return "ping"
        return None

    def _is_too_fast(self, seconds: float, new_bytes: int, new_frames: int) -> bool:
        """Spend the allowance: so much a second, saved for a few seconds at most."""
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
        """Return when to look again; None: never, there is no limit."""
        limits = self._limits
        if limits.max_frame_rate or limits.max_byte_rate:
            return now + 1
        times = []
        if limits.ping_interval:
            times.append(now + limits.ping_interval * self._stretch / _LOOKS_PER_INTERVAL)
        if limits.idle_timeout:
            times.append(now + limits.idle_timeout / _LOOKS_PER_INTERVAL)
        if limits.max_lifetime:
            times.append(self._opened + limits.max_lifetime * (self._stretch - 0.1))
        return max(now, min(times)) if times else None


def _refilled(allowance: float, rate: float, seconds: float) -> float:
    return min(allowance + rate * seconds, rate * _BURST_SECONDS)
