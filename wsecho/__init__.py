"""wsecho: a WebSocket echo server that can be trusted as a measuring instrument."""

__version__ = "0.1.0"
