"""Errors of accept: one waiting connection does not hold up the next one, and a lack of resources is told to all that
wait.

Modules: `listener`.
"""

import errno

import pytest

from tests.conftest import Serve
from tests.faults.bystander import take_out
from tests.faults.patched import patched
from tests.shared.clients import is_served
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection


def failing_to_accept(number: int) -> list[str]:
    """Return the command that starts a server to which the system reports an error when it first accepts."""
    return patched(
        f"""
from wsecho.connections.connection_starter import ConnectionStarter
make = ConnectionStarter.__init__
def make_failing(starter, *arguments, **named):
    make(starter, *arguments, **named)
    accept, errors = starter.accept, [OSError({number}, "")]
    def fail_once(listening):
        if errors:
            raise errors.pop()
        return accept(listening)
    starter.accept = fail_once
ConnectionStarter.__init__ = make_failing
"""
    )


@pytest.mark.parametrize("number", [errno.ECONNABORTED, errno.ENETDOWN, errno.EPERM], ids=errno.errorcode.get)
def test_an_error_of_one_waiting_connection_is_not_that_of_the_next(serve: Serve, number: int) -> None:
    server = serve(command=failing_to_accept(number))
    with RawConnection(server.port).open():
        assert server.metrics()['websocket_refused_connections_total{reason="descriptors"}'] == 0


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE], ids=errno.errorcode.get)
def test_who_waits_when_resources_are_short_is_refused_at_once_and_later_clients_are_not(
    serve: Serve, codec_name: str, number: int
) -> None:
    server = serve("--codec", codec_name, command=failing_to_accept(number))
    with RawConnection(server.port) as refused:
        assert refused.receive_all() == b""
    # Until none waits, those that connect meanwhile are refused, too.
    wait_until(lambda: is_served(server))
    assert server.metrics()['websocket_refused_connections_total{reason="descriptors"}'] >= 1
    server.stop()
    assert take_out(server, "out of resources for new connections") == 1
