"""What may stand in a log line: one line, printable, short, whatever a peer has sent."""

from math import isfinite
from typing import Any

# In bytes of UTF-8. JSON may double them, and a whole line must stay below 4 KiB: see log_writer.ATOMIC_WRITE.
MAX_FIELD = 256
MAX_TRACEBACK = 1536

_CUT = "…"


def shown(value: Any) -> Any:
    """Return a field's value as it is logged: numbers, booleans and None as they are, all else as printable text."""
    if value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return value
    return _start(_printable(str(value)[: MAX_FIELD + 1]))


def shown_traceback(text: str) -> str:
    """Return a traceback's end, which says most. It keeps its line ends, and nothing else that moves a cursor."""
    lines = "\n".join(_printable(line) for line in text.splitlines())
    data = lines.encode()
    if len(data) <= MAX_TRACEBACK:
        return lines
    return _CUT + data[-MAX_TRACEBACK + len(_CUT.encode()) :].decode("utf-8", "ignore")


def shown_address(address: Any) -> str:
    """Return a socket's address as one text: `192.0.2.1:443`, `[2001:db8::1]:443`; the host alone where the port is
    not known, `unknown` where there is no address.
    """
    if not isinstance(address, tuple):
        return str(address) if address else "unknown"
    host, *port = address[:2]
    if not port:
        return str(host)
    return f"[{host}]:{port[0]}" if ":" in host else f"{host}:{port[0]}"


def _printable(text: str) -> str:
    """Escape what is not printable: control characters, line ends, marks of direction, half a surrogate pair."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _start(text: str) -> str:
    data = text.encode()
    return text if len(data) <= MAX_FIELD else data[: MAX_FIELD - len(_CUT.encode())].decode("utf-8", "ignore") + _CUT
