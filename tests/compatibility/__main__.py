"""Runs all clients and writes the table: `python -m tests.compatibility`, or `make compatibility`."""

import argparse
import json
import sys
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from urllib.request import urlopen

from tests.compatibility.clients import CLIENTS, Client
from tests.compatibility.performance import LATE, Cell, cell, perform
from tests.compatibility.table import document
from tests.compatibility.tasks import judged, rows, task_of, task_of_case
from tests.conformance.runs import Run, started
from tests.shared.server import PATIENCE, ROOT, RunningServer
from wsecho.scenarios.catalogue import GROUPS

TABLE = ROOT / "docs/compatibility.md"
# All addresses of the loopback network are needed, one for each page of a browser.
_ALL = ("--host", "0.0.0.0")
_LOCAL = "127.0.0.1"
# Groups of rows that are about frames. A client that hands frames over leaves them to its application.
_ABOUT_FRAMES = {str(GROUPS[letter][1]) for letter in "ACFG"}


def main() -> int:
    """Run the clients and write the table. Clients that are not installed are left out, with a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clients", nargs="*", help="run these only, and print the table instead of writing it")
    options = parser.parse_args()
    chosen = [client for client in CLIENTS if not options.clients or client.name in options.clients]
    versions = {client.name: client.version() for client in chosen}
    for client in chosen:
        if versions[client.name] is None:
            print(f"{client.name} is skipped: it is not installed", flush=True)
    installed = [client for client in chosen if versions[client.name]]
    missing = [client for client in chosen if not versions[client.name]]
    cells: dict[str, dict[str, Cell]] = {row.number: {} for _, row in rows()}
    plain, encrypted = RunningServer(*_ALL), RunningServer(*_ALL, "--tls-self-signed")
    try:
        with started(*_ALL, "--set", "all") as run:
            for client in installed:
                began = monotonic()
                for number, found in _run(client, plain, encrypted, run).items():
                    cells[number][client.name] = found
                print(f"{client.name} {versions[client.name]}: {monotonic() - began:.0f} s", flush=True)
    finally:
        for server in (plain, encrypted):
            server.stop()
            server.close()
    known = {client.name: str(versions[client.name]) for client in installed}
    text = document(rows(), known, missing, cells, datetime.now(UTC).date())
    if options.clients:
        print(text)
    else:
        TABLE.write_text(text)
        print(f"written: {TABLE.relative_to(ROOT)}")
    return 0


def _run(client: Client, plain: RunningServer, encrypted: RunningServer, run: Run) -> dict[str, Cell]:
    """Return the cells of a client by the numbers of the rows."""
    wanted = rows()
    outcomes = perform(client, [task_of(row, _url(plain), _url(encrypted), client.name) for _, row in wanted])
    address = f"ws://{_LOCAL}:{run.port}"
    perform(client, [task_of_case(case, address, client.name) for case in judged()])
    verdicts = _verdicts(run, client)
    found = {}
    for _, row in wanted:
        found[row.number] = cell(row, outcomes.get(row.number), verdicts.get(row.number))
        is_about_frames = row.number.partition(".")[0] in _ABOUT_FRAMES
        if client.hands_over_frames and is_about_frames and found[row.number].mark in ("X", LATE):
            found[row.number].fact = "-"
    return found


def _verdicts(run: Run, client: Client) -> dict[str, dict[str, Any]]:
    """Return what the server says of each case, by its number."""
    with urlopen(f"http://{_LOCAL}:{run.port}/index.json", timeout=PATIENCE) as response:
        index = json.load(response).get(client.name, {})
    found = {}
    for number, each in index.items():
        with urlopen(f"http://{_LOCAL}:{run.port}/{each['reportfile']}", timeout=PATIENCE) as response:
            found[number] = json.load(response)
    return found


def _url(server: RunningServer) -> str:
    return f"{'wss' if server.is_encrypted else 'ws'}://{_LOCAL}:{server.port}"


if __name__ == "__main__":
    sys.exit(main())
