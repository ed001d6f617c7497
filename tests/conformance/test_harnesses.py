"""The calls of the harnesses that client libraries have for Autobahn's fuzzing server, made by real clients.

| library | its harness | here | its calls |
|---|---|---|---|
| websockets | compliance/asyncio/client.py | `test_websockets`, by websockets | the count, each case, the reports |
| undici | test/autobahn/client.js | `test_undici`, by undici | the same, then `index.json`, whose ids are sorted |
| Bun | test/js/web/websocket/autobahn.test.ts | `test_a_failing_case_...`, by websockets | also info and status |
| tungstenite | examples/autobahn-client.rs | `test_a_harness_can_compare_...`, by websocket-client | the first |

The harnesses of ws, aiohttp, coder/websocket and OkHttp make the calls of the first; that of Java-WebSocket makes the
last two of these.

Modules: `routes`, `session`, `results`.
"""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import websocket
import websockets

from tests.conformance.runs import Run, index, started
from tests.scenarios.scenes import head
from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, ROOT

# Cases of each kind that take a moment with a correct client, and one that is wrong in `websockets`.
CASES = ("--only", "20.1,20.2,20.3,20.72,22.6,23.1,23.3,23.5,23.11,25.6,26.1,26.3,26.13,26.18", "--only", "31.3.1")
EARLY_HINTS = "23.10.1"


@pytest.fixture(scope="module")
def shared_run() -> Iterator[Run]:
    with started("--only", "20.1.1,20.1.2,20.1.3,20.1.4") as run:
        yield run


async def _with_websockets(url: str, *, calls: str) -> dict[str, str]:
    """Call as the compliance tests of `websockets` do, or as those of Bun do: with the info and status of each case."""
    async with websockets.connect(f"{url}/getCaseCount", proxy=None) as connection:
        count = int(await connection.recv())
    found = {}
    for number in range(1, count + 1):
        case = str(number)
        if calls == "bun":
            async with websockets.connect(f"{url}/getCaseInfo?case={number}", proxy=None) as connection:
                info = json.loads(await connection.recv())
            assert info.keys() == {"id", "description"}
            case = info["id"]
        try:
            address = f"{url}/runCase?case={number}&agent=pyws"
            async with websockets.connect(address, proxy=None, max_size=1 << 25) as connection:
                async for message in connection:
                    await connection.send(message)
        except (websockets.ConnectionClosed, websockets.InvalidHandshake):
            pass
        if calls == "bun":
            status = f"{url}/getCaseStatus?case={number}&agent=pyws"
            async with websockets.connect(status, proxy=None) as connection:
                found[case] = json.loads(await connection.recv())["behavior"]
    async with websockets.connect(f"{url}/updateReports?agent=pyws", proxy=None) as connection:
        assert [message async for message in connection] == []
        assert connection.close_code == 1000
    return found


def _without_durations(document: dict[str, Any]) -> dict[str, Any]:
    """Return an index as it is compared with an earlier one."""
    return {
        agent: {case: {name: each[name] for name in each if name != "duration"} for case, each in results.items()}
        for agent, results in document.items()
    }


def test_websockets(tmp_path: Path) -> None:
    with started(*CASES, "--report-dir", str(tmp_path)) as run:
        asyncio.run(_with_websockets(run.url, calls="pyws"))
        results = index(tmp_path)["pyws"]
        assert len(results) == run.cases
        assert {(each["behavior"], each["behaviorClose"]) for each in results.values()} == {("OK", "OK")}
        assert run.stop()[0] == 0


def test_a_failing_case_is_told_by_status_index_and_exit_code(tmp_path: Path) -> None:
    with started("--only", f"20.1.1,{EARLY_HINTS}", "--report-dir", str(tmp_path)) as run:
        found = asyncio.run(_with_websockets(run.url, calls="bun"))
        assert found == {"20.1.1": "OK", EARLY_HINTS: "FAILED"}
        failed = index(tmp_path)["pyws"][EARLY_HINTS]
        assert (failed["behavior"], failed["behaviorClose"], failed["remoteCloseCode"]) == ("FAILED", "UNCLEAN", None)
        code, output = run.stop()
    assert code == 1
    assert f"pyws: 2 cases, 1 failed: {EARLY_HINTS}" in output


def test_undici(tmp_path: Path) -> None:
    node = shutil.which("node")
    if not node or not (ROOT / "tests/clients/node_modules/undici").exists():
        pytest.skip("needs Node.js and npm")
    with started("--only", "20.1,22.6,23.3,26.3", "--report-dir", str(tmp_path)) as run:
        done = subprocess.run(
            [node, "fuzzing_harness.js", str(tmp_path)],
            cwd=ROOT / "tests/clients",
            env=os.environ | {"FUZZING_SERVER_URL": run.url},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(done.stdout)
        assert told["count"] == run.cases == len(told["ids"])
        assert told["failed"] == []
        assert told["ids"] == sorted(told["ids"], key=lambda number: [int(part) for part in number.split(".")])
        assert run.stop()[0] == 0


def _blocking(run: Run, agent: str) -> None:
    """Call as tungstenite's example does, with a blocking client that ignores errors."""
    with closing_at_once(f"{run.url}/getCaseCount") as connection:
        count = int(connection.recv())
    for number in range(1, count + 1):
        with (
            suppress(websocket.WebSocketException, OSError, UnicodeDecodeError),
            closing_at_once(f"{run.url}/runCase?case={number}&agent={agent}") as connection,
        ):
            while (received := connection.recv_data())[0] != websocket.ABNF.OPCODE_CLOSE:
                connection.send(received[1], received[0])
    with closing_at_once(f"{run.url}/updateReports?agent={agent}") as connection:
        assert connection.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE


@contextmanager
def closing_at_once(url: str) -> Iterator[websocket.WebSocket]:
    """Connect, and close the socket afterwards without a further frame."""
    connection = websocket.create_connection(url, timeout=PATIENCE)
    try:
        yield connection
    finally:
        connection.shutdown()


def test_a_harness_can_compare_the_index_with_an_earlier_one(tmp_path: Path) -> None:
    found = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        with started("--only", "20.1,22.6,23.3,25.6,26.3", "--report-dir", str(folder)) as run:
            _blocking(run, "Tungstenite")
            run.stop()
        found.append(_without_durations(index(folder)))
    assert found[0] == found[1]
    assert len(found[0]["Tungstenite"]) > 5


def test_cases_run_side_by_side(tmp_path: Path) -> None:
    async def run_one(url: str, number: int) -> None:
        async with websockets.connect(f"{url}/runCase?case={number}&agent=crowd", proxy=None) as connection:
            with suppress(websockets.ConnectionClosed):
                async for message in connection:
                    await connection.send(message)

    async def run_all(url: str, count: int) -> None:
        await asyncio.gather(*(run_one(url, number) for number in range(1, count + 1)))

    with started("--only", "20.1,22.6,23.3,23.5,25.6", "--report-dir", str(tmp_path)) as run:
        asyncio.run(run_all(run.url, run.cases))
        assert run.stop()[0] == 0
    results = index(tmp_path)["crowd"]
    assert len(results) == run.cases
    assert all(each["behavior"] == "OK" for each in results.values())


def test_a_case_can_be_named_by_its_id(tmp_path: Path) -> None:
    with started("--only", "20.1", "--report-dir", str(tmp_path)) as run:
        assert json.loads(run.text("/getCaseInfo?casetuple=20.1.2"))["id"] == "20.1.2"
        with run.raw("/runCase?casetuple=20.1.2&agent=a") as connection:
            assert head(connection).startswith("HTTP/1.1 101 ")
            assert connection.receive(14) == server_close(1001, "going away")
            connection.send(client_frame(CLOSE, b"\x03\xe9"))
            assert connection.receive_all() == b""
        assert run.verdict("casetuple=20.1.2&agent=a") == "OK"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("/runCase?case=0", "case must be a number from 1 to 4"),
        ("/runCase?case=5", "case must be a number from 1 to 4"),
        ("/runCase", "case must be a number"),
        ("/runCase?case=%C2%B9", "case must be a number"),
        ("/getCaseInfo?casetuple=1.1.1", "casetuple is not the id of a case"),
        ("/elsewhere", "/getCaseCount"),
    ],
)
def test_a_wrong_call_is_refused_in_words(shared_run: Run, target: str, line: str) -> None:
    with shared_run.raw(target) as connection:
        answer = connection.receive_all().decode()
    assert answer.startswith(("HTTP/1.1 400 ", "HTTP/1.1 404 "))
    assert line in answer


def test_more_agents_than_are_kept_are_refused(shared_run: Run) -> None:
    for number in range(32):
        with shared_run.raw(f"/runCase?case=1&agent=agent{number}") as connection:
            assert head(connection).startswith("HTTP/1.1 101 ")
    with shared_run.raw("/runCase?case=1&agent=one-more") as connection:
        assert b"too many agents" in connection.receive_all()
    with shared_run.raw("/runCase?case=1&agent=agent3") as connection:
        assert head(connection).startswith("HTTP/1.1 101 ")


def test_the_status_of_a_case_that_runs_is_waited_for(shared_run: Run) -> None:
    with shared_run.raw("/runCase?casetuple=20.1.1&agent=agent0") as case:
        head(case)
        with shared_run.raw("/getCaseStatus?casetuple=20.1.1&agent=agent0") as status:
            head(status)
            case.receive(4)
            case.send(client_frame(CLOSE, b"\x03\xe8"))
            assert status.receive(18) == server_frame(TEXT, b'{"behavior": "OK"}')[:18]


def test_a_client_can_end_the_process(tmp_path: Path) -> None:
    with started("--only", "20.1.1", "--report-dir", str(tmp_path)) as run:
        with run.raw("/runCase?case=1&agent=a") as connection:
            head(connection)
            connection.receive(4)
            connection.send(client_frame(CLOSE, b"\x03\xe8"))
            assert connection.receive_all() == b""
        with run.raw("/updateReports?agent=a&shutdownOnComplete=true") as connection:
            head(connection)
            assert connection.receive(4) == server_close(1000, "")
            connection.send(client_frame(CLOSE, b"\x03\xe8"))
            assert connection.receive_all() == b""
        assert run.wait()[0] == 0
    assert index(tmp_path)["a"]["20.1.1"]["behavior"] == "OK"


def test_no_agent_prints_a_line_of_its_own() -> None:
    with started("--only", "20.1.1") as run:
        with run.raw("/runCase?case=1&agent=a%0A::error::forged%1B[2J") as connection:
            head(connection)
            connection.receive(4)
            connection.send(client_frame(CLOSE, b"\x03\xe8"))
            assert connection.receive_all() == b""
        assert run.stop() == (0, "a\\n::error::forged\\x1b[2J: 1 cases, 0 failed\n")


def test_any_host_is_answered(shared_run: Run) -> None:
    with RawConnection(shared_run.port) as connection:
        connection.send(
            HANDSHAKE.replace(b"GET / ", b"GET /getCaseCount ").replace(b"Host: ", b"Host: other.example:1")
        )
        assert head(connection).startswith("HTTP/1.1 101 ")
