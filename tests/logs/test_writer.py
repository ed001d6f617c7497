"""The queue of log lines and its thread: no connection waits for a log that cannot be written, and gaps are counted."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.shared.clients import come_and_go
from tests.shared.commands import LOCAL, WSECHO
from tests.shared.frames import TEXT, client_frame, server_close, server_frame
from tests.shared.free_port import free_port
from tests.shared.log_lines import with_event
from tests.shared.processes import wait_until
from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE, started
from wsecho.logs import writer
from wsecho.logs.writer import ATOMIC_WRITE, LogWriter, pieces


def test_a_server_whose_log_has_lost_its_reader_still_closes_its_connections() -> None:
    command = [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", "0"]
    with started(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().partition('"port": ')[2].partition(",")[0])
        with RawConnection(port).open() as client:
            process.stdout.close()
            process.send_signal(signal.SIGTERM)
            close = server_close(1001, "server is shutting down")
            assert client.receive(len(close)) == close
        assert process.wait(PATIENCE) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_the_log_does_not_keep_the_server_from_starting(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "wsecho", "--host", "127.0.0.1", "--port", str(port)]
    with open("/dev/full", "w") as full, started(command, stdout=full) as process:

        def has_started() -> bool:
            assert process.poll() is None
            try:
                with RawConnection(port).open():
                    return True
            except ConnectionRefusedError:
                return False

        wait_until(has_started)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def echoes(port: int) -> None:
    with RawConnection(port).open() as connection:
        connection.send(client_frame(TEXT, b"still here"))
        assert connection.receive(12) == server_frame(TEXT, b"still here")


@contextmanager
def talkative_server(**settings: Any) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server whose log is read by the test from a pipe of the smallest size, and its port."""
    with started([*WSECHO, *LOCAL, "--log-level", "debug"], stdout=subprocess.PIPE, **settings) as process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        yield process, json.loads(process.stdout.readline())["port"]


def metrics(port: int) -> dict[str, float]:
    """Return the metrics that have no labels. The server logs nothing about the request for them."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as page:
        samples = re.findall(r"^(\w+) (\S+)$", page.read().decode(), re.MULTILINE)
    return {name: float(value) for name, value in samples}


def wait_for_all_ends(port: int) -> None:
    """Wait until the server has noticed, and logged, the end of each connection. Its client does not see that."""
    wait_until(lambda: metrics(port)["websocket_active_connections"] == 0)


def test_a_log_that_is_not_read_stops_neither_echoes_nor_the_end() -> None:
    with talkative_server() as (process, port):
        come_and_go(port, 50)  # twice as much as fits into the pipe
        with RawConnection(port).open() as connection:
            connection.send(client_frame(TEXT, b"hi"))
            assert connection.receive(4) == server_frame(TEXT, b"hi")
            process.send_signal(signal.SIGTERM)
            close = server_close(1001, "server is shutting down")
            assert connection.receive(len(close)) == close
        assert process.wait(PATIENCE) == 0


def test_a_log_that_is_read_again_says_how_much_is_missing_and_where() -> None:
    connections = writer.MAX_LINES // 2 + 200
    with talkative_server() as (process, port):
        assert process.stdout is not None
        come_and_go(port, connections)
        # The queue has room again for the lines that the thread has taken out of it and cannot write.
        while not metrics(port)["wsecho_log_lines_dropped_total"]:
            come_and_go(port, 100)
            connections += 100
        wait_for_all_ends(port)
        lines = []
        # The server reports the gap although no further line is logged.
        while not lines or lines[-1]["event"] != "log lines lost":
            lines.append(json.loads(process.stdout.readline()))
        told = {"websocket opened", "websocket closed"}
        assert len([line for line in lines if line["event"] in told]) + lines[-1]["lines"] == 2 * connections
        assert lines[-1]["lines"] > 0
        assert metrics(port)["wsecho_log_lines_dropped_total"] == lines[-1]["lines"]
        echoes(port)
        process.send_signal(signal.SIGTERM)
        rest = [json.loads(line) for line in process.stdout]
        assert [line["event"] for line in rest if line["event"] in told] == ["websocket opened", "websocket closed"]
        times = [line["time"] for line in lines[:-1] + rest]
        assert times == sorted(times)
        assert process.wait(PATIENCE) == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and unshare for a small disk")
def test_a_full_disk_stops_no_echo_and_the_log_goes_on_when_there_is_room(tmp_path: Path) -> None:
    port = free_port()
    server = [*WSECHO, "--host", "127.0.0.1", "--port", str(port), "--log-level", "debug"]
    script = 'mount -t tmpfs -o size=64k none "$0" && exec "$@" > "$0/log"'
    with started(["unshare", "--mount", "sh", "-c", script, str(tmp_path), *server]) as process:
        disk = Path(f"/proc/{process.pid}/root{tmp_path}")
        wait_for_text(disk / "log", "listening")
        fill(disk / "filler")
        come_and_go(port, 100)
        echoes(port)
        wait_for_all_ends(port)
        (disk / "filler").unlink()
        lines = wait_for_text(disk / "log", "log lines lost").splitlines()
        echoes(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    good = [json.loads(line) for line in lines if line.endswith("}")]
    # The disk became full in the middle of a line, or between two lines.
    assert len(lines) - len(good) in (0, 1)
    missing = with_event("log lines lost", good)
    told = [line for line in good if line["event"] in ("websocket opened", "websocket closed")]
    assert len(told) + missing[0]["lines"] == 202
    assert len(missing) == 1


def fill(filler: Path) -> None:
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as disk:
        while True:
            disk.write(bytes(4096))


def wait_for_text(file: Path, text: str) -> str:
    """Return the content of the file once it contains `text` and ends with a complete line."""
    for _ in range(int(PATIENCE / 0.02)):
        content = file.read_text() if file.exists() else ""
        if text in content and content.endswith("\n"):
            return content
        threading.Event().wait(0.02)
    raise AssertionError(f"{text!r} did not come: {content}")


def test_a_closed_standard_output_is_no_error() -> None:
    port = free_port()
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *WSECHO, "--host", "127.0.0.1", "--port", str(port)]
    with started(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["event"] == "listening"
        echoes(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert [json.loads(line)["event"] for line in process.stderr] == ["draining", "stopped"]


def notice(lost: int) -> bytes:
    return f"lost {lost}\n".encode()


def test_lines_of_several_processes_are_whole_and_in_order_and_none_is_there_twice() -> None:
    script = """if True:
        import os
        from wsecho.logs.writer import LogWriter
        writer = LogWriter(1, lambda lost: b"lost %d\\n" % lost)
        def write(name):
            for number in range(2000):
                writer.put(b"%s %d %s\\n" % (name, number, name * (number % 700)))
        write(b"a")
        for name in (b"b", b"c", b"d"):
            if not os.fork():
                write(name)
                os._exit(not writer.flush(60))
        for _ in range(3):
            assert os.wait()[1] == 0
        assert writer.flush(60)
    """
    with started([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        lines = [line.split() for line in process.stdout]
        assert process.wait(PATIENCE) == 0
    for name in "abcd":
        of_one = [line for line in lines if line[0] == name]
        assert [int(line[1]) for line in of_one] == list(range(2000))
        assert all("".join(line[2:]) == name * (int(line[1]) % 700) for line in of_one)
    assert len(lines) == 8000


def test_a_writer_at_rest_has_no_thread_and_the_next_line_wakes_it() -> None:
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    writer, threads = LogWriter(write, notice), threading.active_count()
    assert writer.stop_thread(PATIENCE)
    with open(read, "rb") as stream:
        for number in range(3):
            writer.put(b"%d\n" % number)
            assert writer.stop_thread(PATIENCE)
            assert threading.active_count() == threads
            assert stream.readline() == b"%d\n" % number
        for number in range(2000):
            writer.put(b"%d\n" % number)
        assert not writer.stop_thread(0.01)  # nothing reads from the pipe
        assert [int(stream.readline()) for _ in range(2000)] == list(range(2000))
    os.close(write)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_lines_that_cannot_be_written_are_counted_and_reported_later() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(descriptor, notice)
    counts: list[int] = []
    writer.dropped = counts.append
    for _ in range(3):
        writer.put(b"into the void\n")
        assert writer.flush(PATIENCE)
    assert sum(counts) == 3
    read, write = os.pipe()
    os.dup2(write, descriptor)
    with open(read, "rb") as stream:
        assert stream.readline() == b"lost 3\n"
        writer.put(b"here again\n")
        assert stream.readline() == b"here again\n"
    assert sum(counts) == 3
    os.close(descriptor)
    os.close(write)


def test_a_reader_that_has_gone_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    writer = LogWriter(write, notice)
    counts: list[int] = []
    writer.dropped = counts.append
    writer.put(b"to nobody\n")
    assert writer.flush(PATIENCE)
    assert counts == [1]
    read, other = os.pipe()
    os.dup2(other, write)
    with open(read, "rb") as stream:
        assert stream.readline() == b"lost 1\n"
        # The number of a closed file descriptor is soon reused for another file, to which the writer must not write.
        assert writer.stop_thread(PATIENCE)
    os.close(write)
    os.close(other)


def test_an_output_that_does_not_block_is_waited_for() -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    writer = LogWriter(write, notice)
    for number in range(2000):
        writer.put(b"%d\n" % number)
    assert not writer.flush(0.01)
    with open(read, "rb") as stream:
        assert [int(stream.readline()) for _ in range(2000)] == list(range(2000))
    os.close(write)


def test_pieces_are_what_a_pipe_takes_whole() -> None:
    lines = [b"x" * size + b"\n" for size in (1, ATOMIC_WRITE - 3, 1, ATOMIC_WRITE + 10, 5, 5)]
    found = list(pieces(lines))
    assert b"".join(found) == b"".join(lines)
    assert [len(piece) for piece in found] == [ATOMIC_WRITE, 2, ATOMIC_WRITE + 11, 12]
