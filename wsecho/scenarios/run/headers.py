"""The header fields by which a scenario describes itself, and heads as bytes."""

import re
from collections.abc import Iterable
from http import HTTPStatus

# A longer canonical form is not sent: clients limit the size of header fields.
_LONGEST_SCENARIO = 1024
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


def description(scenario: str, seed: int, attempt: int, connection: str) -> list[tuple[str, str]]:
    """Return the header fields. `scenario` is the canonical form of the URL."""
    fields = [("Wsecho-Scenario", scenario)] if len(scenario) <= _LONGEST_SCENARIO else []
    return [*fields, ("Wsecho-Seed", str(seed)), ("Wsecho-Attempt", str(attempt)), ("Wsecho-Connection", connection)]


def status_line(status: int) -> str:
    """Return the status line of a response, without its line end."""
    return f"HTTP/1.1 {status} {_PHRASES.get(status, 'Scenario')}"


def status(line: str) -> int:
    """Return the status in a status line, 0 if it has none."""
    code = line.split(" ")[1:2]
    return int(code[0]) if code and re.fullmatch("[0-9]{3}", code[0]) else 0


def head(line: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the bytes of a head."""
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in fields), "", ""]).encode("latin-1")
