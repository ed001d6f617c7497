"""Scenarios through the wire: a raw client that has performed the handshake and compares exact bytes."""

import re
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.shared.frames import CLOSE, client_frame
from tests.shared.processes import children
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import RunningServer
from tests.shared.workers import held_by

_FIELDS = re.compile(
    r"Wsecho-Scenario: (?P<scenario>[!-~]+)\r\nWsecho-Seed: (?P<seed>\d+)\r\nWsecho-Attempt: (?P<attempt>\d+)\r\n"
    r"Wsecho-Connection: (?P<connection>[0-9a-f]{16})\r\n(Wsecho-Privilege: (?P<privilege>granted|lacking)\r\n)?\r\n"
)


def request(url: str, *fields: str) -> bytes:
    """Return the handshake for a URL, with additional header fields."""
    head = HANDSHAKE.replace(b"GET / ", f"GET {url} ".encode())
    return head.replace(b"\r\n\r\n", "".join(f"\r\n{field}" for field in (*fields, "", "")).encode())


def head(connection: RawConnection) -> str:
    """Return the head of the next response."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        byte = connection.receive(1)
        assert byte, received
        received += byte
    return received.decode()


class Scene(RawConnection):
    """A raw client whose handshake was answered with a correct 101 response. `told` are the fields of ours in it."""

    told: dict[str, str]


@contextmanager
def scene(server: RunningServer, url: str, *fields: str, early: bytes = b"", agreed: str = "") -> Iterator[Scene]:
    """Open a scenario. `early` is sent with the handshake. All of the 101 response but our fields must be exact.

    `agreed` is the field that it has because of what was negotiated.
    """
    with Scene(server.port, tls=server.client_tls) as connection:
        connection.send(request(url, *fields) + early)
        answer = head(connection)
        correct = SWITCHED.decode()[:-2] + (f"{agreed}\r\n" if agreed else "")
        assert answer.startswith(correct), answer
        match = _FIELDS.fullmatch(answer, len(correct))
        assert match, answer
        connection.told = match.groupdict()
        yield connection


@contextmanager
def scene_in_each_worker(server: RunningServer, url: str, *fields: str, agreed: str = "") -> Iterator[list[Scene]]:
    """Open a scenario in each of two workers. One of them gets none in one of 2^29 runs."""
    with ExitStack() as stack:
        scenes = [stack.enter_context(scene(server, url, *fields, agreed=agreed)) for _ in range(30)]
        yield [next(iter(held_by(server, pid, scenes))) for pid in children(server.pid)]


def segments_with_data(connection: RawConnection) -> int:
    """Return how many TCP segments with data have arrived, even if one read returns several (tcpi_data_segs_in)."""
    offset = 152
    facts = connection.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, offset + 4)
    return int.from_bytes(facts[offset:], sys.byteorder)


def is_silent(connection: RawConnection, seconds: float = 0.3) -> bool:
    """Return whether nothing arrives for so long, not even an end."""
    patience = connection.socket.gettimeout()
    connection.socket.settimeout(seconds)
    try:
        connection.receive(1)
    except TimeoutError:
        return True
    finally:
        connection.socket.settimeout(patience)
    return False


def closes_cleanly(connection: RawConnection, frame: bytes, answer: bytes) -> None:
    """Expect the server's Close `frame`, answer it with the payload `answer`, and expect the end of TCP."""
    assert connection.receive(len(frame)) == frame
    connection.send(client_frame(CLOSE, answer))
    assert connection.receive_all() == b""
