"""Makes values fit for a log line: printable, short and without line ends, whatever a peer has sent."""

from math import isfinite
from typing import Any

# In bytes of UTF-8. JSON may double them, and a whole line must stay below 4 KiB: see `writer.ATOMIC_WRITE`.
MAX_FIELD = 256
MAX_TRACEBACK = 1536

_ELLIPSIS = "…"


def shown(value: Any) -> Any:
    """Return a field's value as it is logged: numbers, booleans and None unchanged, all else as printable text."""
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return _shortened(_printable(str(value)[: MAX_FIELD + 1]))


def shown_traceback(text: str) -> str:
    """Return the end of a traceback, its most useful part. Line ends are kept; other control characters are escaped."""
    lines = "\n".join(_printable(line) for line in text.splitlines())
    data = lines.encode()
    if len(data) <= MAX_TRACEBACK:
        return lines
    return _ELLIPSIS + data[-MAX_TRACEBACK + len(_ELLIPSIS.encode()) :].decode("utf-8", "ignore")


def shown_address(address: Any) -> str:
    """Return a socket address as text: `192.0.2.1:443`, `[2001:db8::1]:443`; only the host if the port is not known,
    `unknown` if there is no address.
    """
    if not isinstance(address, tuple):
        return str(address) if address else "unknown"
    host, *port = address[:2]
    if not port:
        return str(host)
    return f"[{host}]:{port[0]}" if ":" in host else f"{host}:{port[0]}"


def _printable(text: str) -> str:
    """Escape characters that are not printable: control characters, line ends, direction marks, lone surrogates."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _shortened(text: str) -> str:
    data = text.encode()
    return (
        text
        if len(data) <= MAX_FIELD
        else data[: MAX_FIELD - len(_ELLIPSIS.encode())].decode("utf-8", "ignore") + _ELLIPSIS
    )
