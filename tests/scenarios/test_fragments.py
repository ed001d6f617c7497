"""Messages in fragments and at the limits of lengths, to the byte."""

from tests.scenarios.scenes import scene
from tests.shared.frames import CONTINUATION, TEXT, client_frame, server_frame
from tests.shared.server import RunningServer
from wsecho.scenarios.language.data import generated


def test_empty_fragments(shared_server: RunningServer) -> None:
    expected = (
        server_frame(TEXT, fin=False)
        + server_frame(CONTINUATION, b"empty", fin=False)
        + server_frame(CONTINUATION, fin=False)
        + server_frame(CONTINUATION, b" ends", fin=False)
        + server_frame(CONTINUATION)
        + server_frame(TEXT, fin=False)
        + server_frame(CONTINUATION, fin=False)
        + server_frame(CONTINUATION)
    )
    with scene(shared_server, "/ws/empty-fragments", early=client_frame(TEXT, b"on")) as connection:
        assert connection.receive(len(expected) + 4) == expected + server_frame(TEXT, b"on")


def test_sizes_have_the_shortest_lengths(shared_server: RunningServer) -> None:
    expected = b"".join(
        head + generated(number, size)
        for number, (size, head) in enumerate(
            {
                125: b"\x81\x7d",
                126: b"\x81\x7e\x00\x7e",
                127: b"\x81\x7e\x00\x7f",
                65535: b"\x81\x7e\xff\xff",
                65536: b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00",
            }.items(),
            start=1,
        )
    )
    with scene(shared_server, "/ws/sizes") as connection:
        assert connection.receive(len(expected)) == expected
