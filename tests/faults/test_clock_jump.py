"""The wall clock jumps by an hour, forward and back, under the server alone: no connection notices."""

import shutil
import subprocess
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.faults.bystander import undisturbed
from tests.shared.frames import PING, PONG, client_frame
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer

HOUR = 3600


def library() -> Path:
    """Return the library that tells a process another time."""
    if not shutil.which("faketime"):
        pytest.skip("needs Debian's package faketime")
    found = subprocess.run(["faketime", "now", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def clock(server: RunningServer) -> float:
    """Return the server's wall clock in seconds, as its answers show it."""
    return parsedate_to_datetime(server.get("/health")[1]["date"]).timestamp()


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_no_connection_notices_a_jump_of_the_clock(serve: Serve, tmp_path: Path, jump: int) -> None:
    shift = tmp_path / "shift"
    shift.write_text("+0")
    server = serve(
        *("--ping-interval", "200ms", "--ping-timeout", "10s", "--idle-timeout", "50s", "--max-lifetime", "60s"),
        environment={
            "LD_PRELOAD": str(library()),
            "FAKETIME_TIMESTAMP_FILE": str(shift),
            "FAKETIME_NO_CACHE": "1",
            # What a clock that is set does not change.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        },
    )
    with undisturbed(server) as bystander, RawConnection(server.port).open() as client:
        before = clock(server)
        shift.write_text(f"{jump:+d}")
        wait_until(lambda: abs(clock(server) - before - jump) < HOUR / 2)
        for _ in range(5):
            assert client.receive(2) == bytes((0x80 | PING, 8))
            client.send(client_frame(PONG, client.receive(8)))
        bystander.must_be_served()
        seen = server.metrics()
        assert {name: count for name, count in seen.items() if "timeouts" in name and count} == {}
        assert seen["websocket_active_connections"] == 2
    end = server.metrics()
    assert end["websocket_connection_duration_seconds_sum"] < HOUR / 2
    assert end["websocket_ping_rtt_seconds_sum"] < HOUR / 2
