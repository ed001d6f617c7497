"""Observes one connection under a key, and keeps what it sees in the memory that all workers share."""

import os
import time
from time import monotonic

from wsecho.http.request import Request
from wsecho.scenarios.seen import head
from wsecho.scenarios.seen.blocks import ROOM
from wsecho.scenarios.seen.frames import Frame, FrameReader
from wsecho.scenarios.seen.key_table import Entry
from wsecho.scenarios.seen.keys import Keys
from wsecho.scenarios.seen.summary import ENDS, EVENTS, HEAD, RECEIVED, SENT, SUMMARY, Event, Summary, encoded

_HEAD_BLOCKS = 4
_CLIENT, _SERVER = 0, 1


class Observation:
    """Sees nothing. It is for connections without a key."""

    def answered(self, status: int) -> None:
        """The server answers the handshake with `status`, 0 for bytes that are no response."""

    def opened(self, status: int, rest: int) -> None:
        """The handshake is answered with `status`. After `rest` bytes of the answer, the server sends frames."""

    def received(self, data: bytes) -> None:
        """The client has sent bytes after the handshake."""

    def sent(self, data: bytes) -> None:
        """The server hands bytes to the kernel."""

    def client_ended(self, how: str) -> None:
        """The client has ended TCP: `fin` or `rst`."""

    def server_ended(self, how: str) -> None:
        """The server ends TCP: `fin`, `rst`, `close` (both at once) or `none` (it vanishes without a packet)."""

    def timed_out(self) -> None:
        """The server ends the connection because of a time limit."""

    def over(self) -> None:
        """Nothing more happens on the connection."""


class KeyObservation(Observation):
    """Sees a connection under a key. When the memory of its record was taken for others, it sees nothing more."""

    def __init__(self, keys: Keys, key: str, identity: int, attempt: int, request: Request) -> None:
        self._keys = keys
        self._digest = keys.table.digest(key)
        self._identity = identity
        self._began = monotonic()
        self._readers = (FrameReader(), FrameReader())
        self._rest = 0
        self._is_open = False
        self._events = 0
        # How many more events the key may have, as far as is known.
        self._room = keys.most_events
        shown, is_whole = head.shown(request, _HEAD_BLOCKS * ROOM)
        summary = Summary(time.time(), attempt, os.getpid(), has_whole_head=is_whole, answered=-1, over=-1)
        summary.closed[:] = summary.ended[:] = (-1.0, -1.0)
        with keys.lock:
            self._summary = self._begin(bytes(summary), shown)

    def _begin(self, summary: bytes, shown: bytes) -> int:
        """Keep the summary and the head. Return the number of the summary's block, 0 if the key has too many."""
        entry = self._keys.table.read(self._digest, self._began)
        if entry is None or entry.connections >= self._keys.most_connections:
            return 0
        entry.connections += 1
        number = entry.last = self._keys.blocks.take(self._identity, SUMMARY, entry.last, summary)
        for start in range(0, len(shown), ROOM):
            entry.last = self._keys.blocks.take(self._identity, HEAD, entry.last, shown[start : start + ROOM])
        self._keys.table.write(self._digest, entry, self._began)
        return number

    def _edit(self) -> Summary | None:
        """Return the summary as it is in shared memory, None if others have taken its place. Called under the lock."""
        memory = self._keys.blocks.memory(self._summary)
        return None if memory is None else Summary.from_buffer(memory)

    def _seconds(self) -> float:
        return monotonic() - self._began

    def answered(self, status: int) -> None:
        """Note the status of the response."""
        with self._keys.lock:
            if summary := self._edit():
                summary.status = status
                summary.answered = self._seconds()

    def opened(self, status: int, rest: int) -> None:
        """Note the status, and read frames from here on."""
        self._rest = rest
        self._is_open = True
        self.answered(status)

    def received(self, data: bytes) -> None:
        """Note the frames that the client has sent."""
        self._read(RECEIVED, data)

    def sent(self, data: bytes) -> None:
        """Note the frames that the server sends."""
        if not self._is_open:
            return
        if self._rest:
            skipped = min(self._rest, len(data))
            self._rest -= skipped
            data = data[skipped:]
        self._read(SENT, data)

    def _read(self, direction: int, data: bytes) -> None:
        if not data:
            return
        reader = self._readers[direction]
        frames = reader.feed(data, self._room)
        with self._keys.lock:
            if summary := self._edit():
                summary.directions[direction].bytes += len(data)
                self._note(summary, direction, frames)
                for opcode, count in reader.others.items():
                    summary.add(direction, opcode, count, reader.others_payload[opcode])
                    summary.events_not_kept += count

    def _note(self, summary: Summary, direction: int, frames: list[Frame]) -> None:
        if not frames:
            return
        seconds = self._seconds()
        entry = self._keys.table.read(self._digest, self._began + seconds)
        for frame in frames:
            if frame.is_complete:
                summary.count(direction, frame, seconds)
            if entry is None or entry.events >= self._keys.most_events:
                summary.events_not_kept += 1
                continue
            entry.events += 1
            self._keep(entry, encoded(Event(seconds, direction == SENT, frame)))
        self._room = max(self._keys.most_events - entry.events, 0) if entry else 0
        if entry:
            self._keys.table.write(self._digest, entry, self._began + seconds)

    def _keep(self, entry: Entry, event: bytes) -> None:
        blocks = self._keys.blocks
        if not (self._events and blocks.append(self._events, event)):
            self._events = entry.last = blocks.take(self._identity, EVENTS, entry.last, event)

    def client_ended(self, how: str) -> None:
        """Note how the client has ended TCP, unless that is known."""
        self._end(_CLIENT, how)

    def server_ended(self, how: str) -> None:
        """Note how the server ends TCP, unless it has done so before."""
        self._end(_SERVER, how)

    def _end(self, side: int, how: str) -> None:
        with self._keys.lock:
            if (summary := self._edit()) and not summary.ends[side]:
                summary.ends[side] = ENDS.index(how)
                summary.ended[side] = self._seconds()

    def timed_out(self) -> None:
        """Note that a time limit has ended the connection."""
        with self._keys.lock:
            if summary := self._edit():
                summary.timed_out = True

    def over(self) -> None:
        """Note the end, and the frames that are not complete."""
        with self._keys.lock:
            if (summary := self._edit()) and summary.over < 0:
                summary.over = self._seconds()
                for direction, reader in enumerate(self._readers):
                    frame = reader.incomplete()
                    self._note(summary, direction, [frame] if frame else [])
