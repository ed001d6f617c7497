"""SIGHUP: the terminal has hung up, or the server is to reload, or it was started to ignore hangups."""

import os
import pty
import re
import signal
from pathlib import Path

import pytest

from tests.shared.clients import echoes
from tests.shared.processes import children
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from tests.shared.workers import leave


@pytest.mark.parametrize("workers", [1, 2])
def test_when_its_terminal_goes_so_does_the_server(workers: int) -> None:
    terminal, inside = pty.openpty()

    def at_the_terminal() -> None:
        os.setsid()
        os.dup2(inside, 0)
        # The first terminal that a session leader opens becomes its controlling terminal.
        os.close(os.open(os.ttyname(inside), os.O_RDWR))
        os.close(terminal)

    server = RunningServer("--workers", str(workers), preexec_fn=at_the_terminal)
    os.close(inside)
    with RawConnection(server.port).open() as connection:
        os.close(terminal)
        leave(connection)
    assert server.wait() == 0
    server.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_hangup_that_was_ignored_at_the_start_stays_ignored(workers: int) -> None:
    """As `nohup` and `trap '' HUP` do: SIGHUP neither reloads nor ends the server."""
    server = RunningServer("--workers", str(workers), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    everyone = [server.pid, *children(server.pid)]
    assert len(everyone) == (1 if workers == 1 else 3)
    for pid in everyone:
        ignored = re.search(r"^SigIgn:\s*(\w+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        assert ignored
        assert int(ignored[1], 16) >> signal.SIGHUP - 1 & 1
        os.kill(pid, signal.SIGHUP)
    echoes(server.port)
    assert server.stop() == 0
    assert not server.complaints()
    assert "reloaded" not in [line["event"] for line in server.logs]
    server.close()
