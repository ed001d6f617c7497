"""The memory of unsent bytes. Not run under the sanitizers, whose allocator keeps what is freed."""

import ctypes
import os
from collections.abc import Iterator

import pytest

from tests.shared.memory import resident_memory
from tests.shared.tcp_transports import Connections, Recorder


@pytest.fixture
def epoll() -> Iterator[Connections]:
    connections = Connections("epoll")
    yield connections
    connections.close()


def memory_in_use() -> int:
    """Return the resident memory of this process in bytes, without what the allocator could give back."""
    ctypes.CDLL(None).malloc_trim(0)
    return resident_memory(os.getpid())


def test_unsent_bytes_take_little_more_than_their_size_and_are_given_back(epoll: Connections) -> None:
    """Chunks of at most 60 KiB: one doubling buffer would at times take three times the size of what is unsent."""
    recorder = Recorder()
    peer = epoll.start(recorder, buffer=4096)
    piece = bytes(60 << 10)
    before = memory_in_use()
    for _ in range(500):
        recorder.transport.write(piece)
    waiting = recorder.transport.get_write_buffer_size()
    assert memory_in_use() - before < waiting + (3 << 20)
    recorder.transport.abort()
    assert memory_in_use() - before < 3 << 20
    peer.close()
