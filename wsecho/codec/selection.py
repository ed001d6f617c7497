"""The choice between the compiled codec and the plain one, made once, at the start."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from wsecho.codec import wire
from wsecho.websocket import echo, inflater, message_counters, receive_buffer


@dataclass(frozen=True, slots=True)
class Codec:
    """The six classes that come as a set. Both sets have the same interface; the plain one is what types refer to."""

    name: str
    Echo: type[echo.Echo]
    Inflater: type[inflater.Inflater]
    ReceiveBuffer: type[receive_buffer.ReceiveBuffer]
    MessageCounters: type[message_counters.MessageCounters]
    InflateBudget: type[inflater.InflateBudget]
    Wire: type[wire.Wire]


PLAIN = Codec(
    "python",
    echo.Echo,
    inflater.Inflater,
    receive_buffer.ReceiveBuffer,
    message_counters.MessageCounters,
    inflater.InflateBudget,
    wire.Wire,
)


def load(choice: str) -> Codec:
    """Return the codec for `choice`: compiled, python or auto. Raises RuntimeError when it was not built."""
    if choice == "python":
        return PLAIN
    try:
        return _compiled()
    except ImportError as error:
        if choice == "compiled":
            raise RuntimeError(f"--codec compiled: it cannot be loaded: {error}; 'make build' compiles it") from None
        return PLAIN


def hidden_installation() -> Path | None:
    """Return the folder of an installed package that this one hides, as it does by `python -m wsecho` in a checkout."""
    here = Path(__file__).parents[1]
    for distribution in metadata.distributions(name="wsecho"):
        installed = Path(str(distribution.locate_file("wsecho")))
        if installed.is_dir() and not installed.samefile(here):
            return installed
    return None


def _compiled() -> Codec:
    import wsecho.codec.native.echo
    import wsecho.codec.native.inflater
    import wsecho.codec.native.message_counters
    import wsecho.codec.native.receive_buffer
    import wsecho.codec.native.wire

    native: Any = wsecho.codec.native
    return Codec(
        "compiled",
        native.echo.Echo,
        native.inflater.Inflater,
        native.receive_buffer.ReceiveBuffer,
        native.message_counters.MessageCounters,
        native.inflater.InflateBudget,
        native.wire.Wire,
    )
