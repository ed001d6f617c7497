"""Too few file descriptors: connected clients stay served, new ones are refused at once, and nothing spins."""

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Serve
from tests.faults.bystander import take_out, undisturbed
from tests.faults.patched import counting_accepts
from tests.shared.clients import is_served
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, ROOT
from wsecho.options.option import OptionError
from wsecho.processes import descriptors

FEW = 64
CROWD = 200


def lower_the_limit() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FEW))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_too_few_descriptors_to_serve_anybody_are_one_line_and_exit_code_1(workers: str) -> None:
    # Python itself needs some at its start.
    serve = [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0", "--workers", workers]
    command = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', "12", *serve]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "wsecho: the limit of open files (ulimit -n) is 12, but the server needs at least 32\n"


@pytest.mark.parametrize("behind_its_back", [False, True])
def test_a_crowd_beyond_the_descriptors_costs_nothing_and_hurts_nobody(
    serve: Serve, tmp_path: Path, behind_its_back: bool
) -> None:
    """The limit is lowered later, without the server's knowledge, so that file descriptors run out while the server
    believes that it has room.
    """
    looks = tmp_path / "looks"
    server = serve(command=counting_accepts(looks), preexec_fn=None if behind_its_back else lower_the_limit)
    with undisturbed(server) as bystander:
        if behind_its_back:
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (FEW, FEW))
        crowd = [RawConnection(server.port) for _ in range(CROWD)]
        began, looked = time.monotonic(), looks.stat().st_size
        # The crowd waits for about a second. A loop that spins would look a hundred thousand times.
        bystander.must_be_served(150)
        assert looks.stat().st_size - looked <= 20 * (time.monotonic() - began) + 20
        for connection in crowd:
            connection.socket.close()
        deadline = time.monotonic() + PATIENCE
        while not is_served(server):
            assert time.monotonic() < deadline
    seen = server.wait_for_metrics(websocket_active_connections=0)
    turned_away = seen['websocket_refused_connections_total{reason="descriptors"}']
    assert CROWD - FEW <= turned_away <= 2 * CROWD
    server.stop()
    # Logged at most once a second.
    assert 1 <= take_out(server, "out of resources for new connections") <= 30


def test_no_more_connections_are_promised_than_there_are_descriptors_for() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard - 256
    descriptors.raise_limit()
    descriptors.check_capacity(most)
    with pytest.raises(OptionError, match=f"at most {most} connections are possible"):
        descriptors.check_capacity(most + 1)
