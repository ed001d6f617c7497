"""How many log lines of one kind are written in a second, and how the suppressed ones are counted."""

from tests.conftest import Serve
from tests.shared.clients import BAD_HANDSHAKE, refused
from tests.shared.log_lines import all_lines, with_event
from tests.shared.raw import RawConnection
from wsecho.logs.rate_limits import MAX_LINES, SECONDS, LogLimits


def test_a_thousand_bad_handshakes_are_few_lines_and_a_number(serve: Serve) -> None:
    server = serve()
    for _ in range(1000):
        refused(server)
    lines = all_lines(server)
    told = with_event("handshake refused", lines)
    left_out = with_event("log lines suppressed", lines)
    assert len(told) + sum(line["lines"] for line in left_out) == 1000
    assert {(line["of"], line["severity"]) for line in left_out} == {("handshake refused", "INFO")}
    # At most one window of lines for each line that reports suppressed ones, plus one at the start and one at the end
    # of the log in which nothing was suppressed.
    assert len(told) <= MAX_LINES * (len(left_out) + 2)
    assert len(lines) < 500


def test_suppressed_lines_are_reported_while_the_server_runs(serve: Serve) -> None:
    server = serve()
    crowd = [RawConnection(server.port) for _ in range(10 * MAX_LINES)]
    for connection in crowd:
        connection.send(BAD_HANDSHAKE)
    assert server.wait_for_log("log lines suppressed")["of"] == "handshake refused"
    for connection in crowd:
        connection.socket.close()


def test_ten_of_a_kind_pass_within_a_second_and_the_others_are_counted() -> None:
    limits = LogLimits()
    assert [limits.admits("info", "a", 5.0) for _ in range(MAX_LINES + 3)] == [True] * MAX_LINES + [False] * 3
    assert limits.admits("info", "b", 5.0)
    assert limits.admits("error", "a", 5.0)
    assert limits.take_suppressed(5.0 + SECONDS - 0.01) == []
    # After one second another ten lines pass, whether or not the suppressed ones were taken.
    assert [limits.admits("info", "a", 5.0 + SECONDS) for _ in range(MAX_LINES + 1)] == [True] * MAX_LINES + [False]
    assert limits.take_suppressed(5.0 + SECONDS) == [("info", "a", 4)]
    assert limits.take_suppressed(9.0) == []


def test_an_endless_flood_is_reported_every_second() -> None:
    limits = LogLimits()
    told = []
    for tick in range(100):
        for _ in range(20):
            limits.admits("info", "a", tick / 10)
        told += limits.take_suppressed(tick / 10)
    assert len(told) == 9
