"""Chooses between the compiled codec and the Python codec, once, at the start."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from wsecho.codec import wire
from wsecho.counting import cells
from wsecho.http.request import Request
from wsecho.websocket import echo, handshake, inflater, message_counters, receive_buffer

if TYPE_CHECKING:
    from pathlib import Path

    from wsecho.tcp import transports


class Codec(NamedTuple):
    """The classes of a codec. Both codecs have the same interface; type annotations name the Python classes.

    `read_plain_request` returns the request whose head is exactly the given bytes, or None if `RequestReader` has to
    read it. `accept_key` is that of `wsecho.websocket.handshake`.
    """

    name: str
    Echo: type[echo.Echo]
    Inflater: type[inflater.Inflater]
    ReceiveBuffer: type[receive_buffer.ReceiveBuffer]
    MessageCounters: type[message_counters.MessageCounters]
    Cells: type[cells.Cells]
    InflateBudget: type[inflater.InflateBudget]
    Wire: type[wire.Wire]
    TcpTransports: type[transports.TcpTransports]
    read_plain_request: Callable[[bytes], Request | None]
    accept_key: Callable[[str], str]


def _no_plain_request(data: bytes) -> None:
    """Leave every request to `RequestReader`."""


def load(choice: str, *, encrypted: bool = False) -> Codec:
    """Return the codec for `choice`: `compiled`, `python` or `auto`, which prefers the compiled codec.

    Its wires are for the transports of plain TCP or, if `encrypted`, for those of TLS. Raises RuntimeError if `choice`
    is `compiled` and that codec cannot be imported; its text is one line for the user.
    """
    if choice == "python":
        return _python()
    try:
        return _compiled(encrypted)
    except ImportError as error:
        if choice == "compiled":
            raise RuntimeError(f"--codec compiled: it cannot be loaded: {error}; 'make build' compiles it") from None
        return _python()


def hidden_installation() -> Path | None:
    """Return the folder of an installed wsecho that this one hides, or None.

    `python -m wsecho` in a checkout, for example, runs the checkout instead of the installed package.
    """
    # Imported only when needed, because these imports are slow.
    from importlib import metadata
    from pathlib import Path

    here = Path(__file__).parents[1]
    for distribution in metadata.distributions(name="wsecho"):
        installed = Path(str(distribution.locate_file("wsecho")))
        if installed.is_dir() and not installed.samefile(here):
            return installed
    return None


def _python() -> Codec:
    # Imported only when needed: it imports aiofastnet.
    from wsecho.tcp.transports import TcpTransports

    return Codec(
        "python",
        echo.Echo,
        inflater.Inflater,
        receive_buffer.ReceiveBuffer,
        message_counters.MessageCounters,
        cells.Cells,
        inflater.InflateBudget,
        wire.Wire,
        TcpTransports,
        _no_plain_request,
        handshake.accept_key,
    )


def _compiled(encrypted: bool) -> Codec:
    import wsecho.codec.native.accept_key
    import wsecho.codec.native.cells
    import wsecho.codec.native.echo
    import wsecho.codec.native.inflater
    import wsecho.codec.native.message_counters
    import wsecho.codec.native.plain_request
    import wsecho.codec.native.receive_buffer
    import wsecho.codec.native.wire
    import wsecho.tcp.epoll_transport

    native: Any = wsecho.codec.native
    has_epoll = hasattr(select, "epoll")
    return Codec(
        "compiled",
        native.echo.Echo,
        native.inflater.Inflater,
        native.receive_buffer.ReceiveBuffer,
        native.message_counters.MessageCounters,
        native.cells.Cells,
        native.inflater.InflateBudget,
        native.wire.Wire if has_epoll and not encrypted else _fastnet_wire(),
        wsecho.tcp.epoll_transport.EpollTransports if has_epoll else _python().TcpTransports,
        native.plain_request.read_plain_request,
        native.accept_key.accept_key,
    )


def _fastnet_wire() -> Any:
    # Imported only when needed: it imports aiofastnet.
    from wsecho.codec.native.fastnet_wire import Wire

    return Wire
