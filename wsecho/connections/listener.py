"""The accept loop: never out of descriptors, never a busy loop, never a lost listener."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable

import structlog

from wsecho.connections.connection_starter import ConnectionStarter
from wsecho.connections.internal_errors import report
from wsecho.counting.connection_counters import ConnectionCounters

# Connections accepted in one turn of the loop, so that a storm of them cannot starve those that are open.
_BATCH = 64
_HOLD_SECONDS = 0.1
# The same shortage is told no more often than this.
_COMPLAINT_SECONDS = 1.0
_SHORT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts connections as long as `has_room()` says so, and hands them to a starter."""

    def __init__(
        self,
        sockets: list[socket.socket],
        starter: ConnectionStarter,
        has_room: Callable[[int], bool],
        counters: ConnectionCounters,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        """`has_room` is told how many accepted connections have not reached their protocol yet."""
        self._sockets = sockets
        self._starter = starter
        self._has_room = has_room
        self._counters = counters
        self._log = log
        self._loop = asyncio.get_running_loop()
        # Given up when descriptors run out, so that waiting peers can be accepted and turned away.
        self._reserve: int | None = None
        self._closed = False
        self._complain_after = 0.0

    def start(self) -> None:
        """Begin to accept."""
        self._take_reserve()
        self._accept_again()

    def close(self) -> None:
        """Stop accepting. Connections that wait in the backlog are reset by the system; what has not begun is cut."""
        self._closed = True
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self._starter.cancel()
        self._give_reserve()

    def _accept_again(self) -> None:
        if not self._closed:
            for listening in self._sockets:
                self._loop.add_reader(listening, self._accept, listening)

    def _hold(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        self._loop.call_later(_HOLD_SECONDS, self._accept_again)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BATCH):
            if not self._has_room(len(self._starter)):
                self._hold()
                return
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _SHORT_OF_RESOURCES:
                    continue  # accept(2): errors of the network are those of one waiting connection
                self._turn_away(listening, error)
                self._hold()
                return
            try:
                self._starter.start(accepted, peer)
            except Exception as error:
                # The socket closes with its last reference, which a transport that is half made may have.
                report(self._loop, "accept", error)

    def _turn_away(self, listening: socket.socket, error: OSError) -> None:
        """Close a batch of waiting connections: better refused at once than left to hang."""
        if self._loop.time() >= self._complain_after:
            self._complain_after = self._loop.time() + _COMPLAINT_SECONDS
            self._log.error("out of resources for new connections", error=os.strerror(error.errno or 0))
        self._give_reserve()
        closed = 0
        try:
            while closed < _BATCH:
                listening.accept()[0].close()
                closed += 1
        except OSError:
            pass
        self._take_reserve()
        self._counters.connection_refused("descriptors", closed)

    def _take_reserve(self) -> None:
        try:
            self._reserve = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            self._reserve = None

    def _give_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
