"""The accept loop. It does not spin when it cannot accept, and no error and no lack of file descriptors ends it."""

import asyncio
import errno
import os
import socket
from collections.abc import Callable

import structlog

from wsecho.connections.connection_starter import ConnectionStarter
from wsecho.connections.internal_errors import report
from wsecho.counting.connection_counters import ConnectionCounters

# Connections accepted in one iteration of the event loop, so that many new ones cannot starve the open ones.
_BATCH = 64
_PAUSE_SECONDS = 0.1
# The least time between two log lines about a lack of resources.
_LOG_INTERVAL = 1.0
_SHORT_OF_RESOURCES = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """Accepts connections while there is room for them, and hands them to a starter."""

    def __init__(
        self,
        sockets: list[socket.socket],
        starter: ConnectionStarter,
        room: Callable[[int], int],
        counters: ConnectionCounters,
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        """`room` returns how many more connections may be accepted. It is called with the number of accepted
        connections whose protocol has not started yet.
        """
        self._sockets = sockets
        self._starter = starter
        self._room = room
        self._counters = counters
        self._log = log
        self._loop = asyncio.get_running_loop()
        # A spare file descriptor. It is closed when file descriptors run out, so that the server can accept the waiting
        # connections in order to close them.
        self._reserve: int | None = None
        self._closed = False
        self._next_log_at = 0.0

    def start(self) -> None:
        """Begin to accept."""
        self._open_reserve()
        self._resume()

    def close(self) -> None:
        """Stop accepting, and close accepted connections whose protocol has not started.

        The kernel resets the connections in the backlog.
        """
        self._closed = True
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            listening.close()
        self._starter.cancel()
        self._close_reserve()

    def _resume(self) -> None:
        if not self._closed:
            for listening in self._sockets:
                self._loop.add_reader(listening, self._accept, listening)

    def _pause(self) -> None:
        for listening in self._sockets:
            self._loop.remove_reader(listening)
        self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _accept(self, listening: socket.socket) -> None:
        room = self._room(len(self._starter))
        if room <= 0:
            self._pause()
        for _ in range(min(room, _BATCH)):
            try:
                accepted = self._starter.accept(listening)
            except OSError as error:
                if error.errno not in _SHORT_OF_RESOURCES:
                    continue  # a network error of one waiting connection, see accept(2)
                self._refuse_waiting(listening, error)
                self._pause()
                return
            if accepted is None:
                return
            try:
                self._starter.start(*accepted)
            except Exception as error:
                # The socket is not closed here: a half-made transport may still refer to it. It closes with its last
                # reference.
                report(self._loop, "accept", error)

    def _refuse_waiting(self, listening: socket.socket, error: OSError) -> None:
        """Close a batch of waiting connections: clients that are refused at once need not wait for a timeout."""
        if self._loop.time() >= self._next_log_at:
            self._next_log_at = self._loop.time() + _LOG_INTERVAL
            self._log.error("out of resources for new connections", error=os.strerror(error.errno or 0))
        self._close_reserve()
        closed = 0
        try:
            while closed < _BATCH:
                listening.accept()[0].close()
                closed += 1
        except OSError:
            pass
        self._open_reserve()
        self._counters.connection_refused("descriptors", closed)

    def _open_reserve(self) -> None:
        try:
            self._reserve = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            self._reserve = None

    def _close_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
