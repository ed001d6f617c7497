"""Chooses between the compiled codec and the Python codec, once, at the start."""

import select
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wsecho.codec import wire
from wsecho.counting import cells
from wsecho.http.request import Request
from wsecho.tcp import transports
from wsecho.websocket import echo, inflater, message_counters, receive_buffer


@dataclass(frozen=True, slots=True)
class Codec:
    """The classes of a codec. Both codecs have the same interface; type annotations name the Python classes.

    `read_plain_request` returns the request whose head is exactly the given bytes, or None if `RequestReader` has to
    read it.
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


def _no_plain_request(data: bytes) -> None:
    """Leave every request to `RequestReader`."""


PYTHON = Codec(
    "python",
    echo.Echo,
    inflater.Inflater,
    receive_buffer.ReceiveBuffer,
    message_counters.MessageCounters,
    cells.Cells,
    inflater.InflateBudget,
    wire.Wire,
    transports.TcpTransports,
    _no_plain_request,
)


def load(choice: str) -> Codec:
    """Return the codec for `choice`: `compiled`, `python` or `auto`, which prefers the compiled codec.

    Raises RuntimeError if `choice` is `compiled` and that codec cannot be imported; its text is one line for the user.
    """
    if choice == "python":
        return PYTHON
    try:
        return _compiled()
    except ImportError as error:
        if choice == "compiled":
            raise RuntimeError(f"--codec compiled: it cannot be loaded: {error}; 'make build' compiles it") from None
        return PYTHON


def hidden_installation() -> Path | None:
    """Return the folder of an installed wsecho that this one hides, or None.

    `python -m wsecho` in a checkout, for example, runs the checkout instead of the installed package.
    """
    # Imported only when needed, because this import is slow.
    from importlib import metadata

    here = Path(__file__).parents[1]
    for distribution in metadata.distributions(name="wsecho"):
        installed = Path(str(distribution.locate_file("wsecho")))
        if installed.is_dir() and not installed.samefile(here):
            return installed
    return None


def _compiled() -> Codec:
    import wsecho.codec.native.cells
    import wsecho.codec.native.echo
    import wsecho.codec.native.inflater
    import wsecho.codec.native.message_counters
    import wsecho.codec.native.plain_request
    import wsecho.codec.native.receive_buffer
    import wsecho.codec.native.wire
    import wsecho.tcp.epoll_transport

    native: Any = wsecho.codec.native
    return Codec(
        "compiled",
        native.echo.Echo,
        native.inflater.Inflater,
        native.receive_buffer.ReceiveBuffer,
        native.message_counters.MessageCounters,
        native.cells.Cells,
        native.inflater.InflateBudget,
        native.wire.Wire,
        wsecho.tcp.epoll_transport.EpollTransports if hasattr(select, "epoll") else transports.TcpTransports,
        native.plain_request.read_plain_request,
    )
