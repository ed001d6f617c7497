"""What the page /info says of the server: what clients meet there, and may want to know before they connect."""

from typing import Any

from wsecho import __version__
from wsecho.options.config import Config

# The options that limit what a client may do. Where 0 means that there is no limit, JSON has null.
_LIMITS = (
    *("max_message_size", "max_fragments", "max_connections_per_address", "max_frame_rate", "max_byte_rate"),
    *("idle_timeout", "max_lifetime", "ping_interval", "ping_timeout", "stall_timeout"),
)


def server_facts(config: Config, codec: str) -> dict[str, Any]:
    """Return the facts, for JSON. `codec` is the name of the codec.

    The names in `limits` are those of options, in bytes and seconds. `subprotocol` is the policy of `--subprotocol`.
    """
    return {
        "name": "wsecho",
        "version": __version__,
        "codec": codec,
        "permessage_deflate": not config.no_deflate,
        "subprotocol": config.subprotocol,
        "greeting": None if config.greeting is None else config.greeting.decode(),
        "scenarios": not config.no_scenarios,
        "limits": {name: getattr(config, name) or None for name in _LIMITS},
    }
