"""A plugin for pytest that writes what was collected to a file: the names of all tests and their parameters."""

import json
import re
from collections.abc import Set
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--collected", type=Path, help="file to write, a line a test")


def pytest_collection_finish(session: pytest.Session) -> None:
    lines = (json.dumps([item.nodeid, _parameters(item)]) for item in session.items)
    session.config.getoption("--collected").write_text("\n".join(lines))


def _parameters(item: pytest.Item) -> str:
    """Return the values of the parameters as text, without memory addresses and with sets in sorted order."""
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    in_order = {name: sorted(value) if isinstance(value, Set) else value for name, value in parameters.items()}
    return re.sub(r"\bat 0x[0-9a-f]+", "at an address", repr(in_order))
