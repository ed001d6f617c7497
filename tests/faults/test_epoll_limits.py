"""The kernel refuses to watch another socket: that connection ends, its place is given back, and the worker goes on."""

import contextlib
import subprocess
from pathlib import Path

from tests.conftest import Serve
from tests.faults.bystander import take_out, undisturbed
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import HANDSHAKE, RawConnection

# As if fs.epoll.max_user_watches were reached, which is a limit for all processes of a user, while a file exists.
REFUSING = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event)
{
    if (operation == EPOLL_CTL_ADD && access(getenv("REFUSE_WHILE"), F_OK) == 0) {
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_epoll_ctl, epoll, operation, descriptor, event);
}
"""


def test_a_socket_that_cannot_be_watched_ends_its_connection_only(serve: Serve, tmp_path: Path) -> None:
    library, full = tmp_path / "refusing.so", tmp_path / "full"
    subprocess.run(["cc", "-shared", "-fPIC", "-xc", "-", "-o", library], input=REFUSING, text=True, check=True)
    environment = {"LD_PRELOAD": str(library), "REFUSE_WHILE": str(full)}
    server = serve("--codec", "compiled", "--max-connections-per-address", "2", environment=environment)
    with undisturbed(server) as bystander:
        full.touch()
        for _ in range(5):
            with RawConnection(server.port) as unlucky, contextlib.suppress(ConnectionResetError):
                unlucky.send(HANDSHAKE)
                assert unlucky.receive_all() == b""
        bystander.must_be_served()
        full.unlink()
        with RawConnection(server.port).open() as later:
            later.send(client_frame(TEXT, b"later"))
            assert later.receive(7) == server_frame(TEXT, b"later")
    seen = server.metrics()
    assert seen["websocket_connection_duration_seconds_count"] == seen["websocket_connections_total"]
    assert server.stop() == 0
    assert take_out(server, "out of memory for a connection") == 5
