"""The lines that a server has logged."""

from typing import Any

from tests.shared.server import RunningServer


def all_lines(server: RunningServer) -> list[dict[str, Any]]:
    """Stop the server and return its whole log."""
    server.stop()
    server.complaints()
    return server.logs


def with_event(event: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == event]
