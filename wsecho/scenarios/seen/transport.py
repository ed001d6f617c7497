"""A transport that lets an observation see what is sent and how TCP ends."""

import asyncio
import contextlib
import socket
import struct
from typing import Any, cast

from wsecho.scenarios.run.endings import is_vanishing, opened_copy
from wsecho.scenarios.seen.observation import Observation

_RESETS = struct.pack("ii", 1, 0)
# The first byte of tcp_info is the state of the connection (linux/tcp.h, tcp_states.h). In these, the client has sent
# FIN. A connection that was reset is closed.
_FIN_CAME = (6, 8, 9, 11)
_CLOSED = 7


class ObservedTransport:
    """Stands in the place of a transport for the connection of a scenario. All else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, observation: Observation) -> None:
        self._transport = transport
        self._observation = observation
        self._server_has_ended = False
        # Called for each read: without a way through __getattr__.
        self.is_closing = transport.is_closing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send bytes."""
        self._observation.sent(bytes(data))
        self._transport.write(data)

    def write_eof(self) -> None:
        """End the server's side."""
        self._ends("fin")
        self._transport.write_eof()

    def close(self) -> None:
        """End the server's side, on TLS with close_notify."""
        self._ends("fin")
        self._transport.close()

    def abort(self) -> None:
        """Close the socket at once."""
        if not self.is_closing():
            self._look_at_client()
            # After a reset, nothing is sent any more.
            if _state(self._transport) != _CLOSED:
                self._ends(_how_it_closes(self._transport))
        self._transport.abort()

    def lost(self, error: Exception | None) -> None:
        """The transport has reported its end."""
        if isinstance(error, ConnectionError):
            self._observation.client_ended("rst")
        self._look_at_client()
        self._observation.over()

    def _ends(self, how: str) -> None:
        self._server_has_ended = True
        self._observation.server_ended(how)

    def _look_at_client(self) -> None:
        """Note the end of the client's side, if the kernel knows of one that the transport has not reported."""
        state = _state(self._transport)
        if state in _FIN_CAME:
            self._observation.client_ended("fin")
        elif state == _CLOSED:
            self._observation.client_ended("fin" if self._server_has_ended else "rst")


def report_end(transport: asyncio.Transport, error: Exception | None) -> None:
    """Let the observation of a transport, if it has one, see that it has ended with this error."""
    # Only in form: an ObservedTransport is none of asyncio's classes.
    given: object = transport
    if isinstance(given, ObservedTransport):
        given.lost(error)


def observed(transport: asyncio.Transport, observation: Observation) -> asyncio.Transport:
    """Return the transport with an observation of it, or the transport itself for one that sees nothing."""
    if type(observation) is Observation:
        return transport
    return cast(asyncio.Transport, ObservedTransport(transport, observation))


def _state(transport: asyncio.Transport) -> int:
    """Return the state of TCP, 0 where that is not known."""
    with contextlib.suppress(OSError, AttributeError), opened_copy(transport) as copy:
        return copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return 0


def _how_it_closes(transport: asyncio.Transport) -> str:
    """Return what the kernel sends when the socket is closed, an item of `ENDS`."""
    with contextlib.suppress(OSError), opened_copy(transport) as copy:
        if is_vanishing(copy):
            return "none"
        if copy.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESETS)) == _RESETS:
            return "rst"
    return "close"
