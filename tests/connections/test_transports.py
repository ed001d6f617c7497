"""How many bytes a peer has still to read, by the transport and by the kernel."""

from collections.abc import Iterator

import pytest

from tests.shared.tcp_transports import KINDS, Connections, Recorder
from wsecho.connections.transports import unread


@pytest.fixture(params=KINDS)
def both(request: pytest.FixtureRequest) -> Iterator[Connections]:
    connections = Connections(request.param)
    yield connections
    connections.close()


def test_bytes_in_the_kernel_are_unread_as_well(both: Connections) -> None:
    recorder = Recorder()
    both.start(recorder, buffer=4096)
    transport = recorder.transport
    assert unread(transport) == 0
    transport.write(bytes(600_000))
    waiting = transport.get_write_buffer_size()
    assert waiting < unread(transport) <= 600_000
    transport.abort()
    both.settle()
    assert unread(transport) == 0
