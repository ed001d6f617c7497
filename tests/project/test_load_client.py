"""The load client of the benchmarks: it measures every echo server alike and detects every wrong echo."""

import json
import os
import random
import shutil
import ssl
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from tests.shared.answering import Answer, answering, honest
from tests.shared.frames import BINARY, CLOSE, PING, TEXT, server_close, server_frame
from tests.shared.server import PATIENCE, ROOT, RunningServer

FIN, RSV1, MASKED = 0x80, 0x40, 0x80
BLOCK_END = b"\x00\x00\xff\xff"
SHORT = ("--seconds", "0.15", "--warm-up", "0.05")
# For what ends a run early: on a busy machine, it may come later than in a short one.
LONG = ("--seconds", "30", "--warm-up", "0.05")
DEFLATE = ("--deflate", "--payload", "json")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("load")
    built = subprocess.run(
        [sys.executable, "benchmarks/programs.py", "--into", str(into), "load"],
        cwd=ROOT,
        env=os.environ | {"CFLAGS": f"-Werror {os.environ.get('CFLAGS', '')}"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    if "is not installed" in built.stderr:
        pytest.skip(built.stderr.strip())
    assert built.returncode == 0, built.stderr
    return into / "load"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that no client should trust."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian package: openssl)")
    folder = tmp_path_factory.mktemp("certificate")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    files = ("-out", folder / "certificate.pem", "-keyout", folder / "key.pem")
    command = ("openssl", "req", "-x509", *curve, "-subj", "/CN=localhost", "-days", "2", *files)
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


def run(program: Path, *arguments: str | int, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(program), *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)


def measured(program: Path, *arguments: str | int, text: str = "") -> dict[str, Any]:
    """Return what the client prints if it finds no error."""
    outcome = run(program, *arguments, text=text)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.count("\n") == 1
    said: dict[str, Any] = json.loads(outcome.stdout)
    return said


def complaint(program: Path, *arguments: str | int, text: str = "") -> str:
    """Return the one line in which the client reports an error."""
    outcome = run(program, *arguments, text=text)
    assert (outcome.returncode, outcome.stdout) == (1, "")
    assert outcome.stderr.count("\n") == 1
    return outcome.stderr.rstrip()


# ---- what it measures ----


def test_an_echo_is_counted_and_the_servers_time_with_it(program: Path, server: RunningServer) -> None:
    before = server.metrics()["websocket_messages_sent_total"]
    said = measured(program, "echo", "--port", server.port, "--pid", server.pid, *SHORT, "--connections", 7)
    assert 0 < said["messages"] < server.metrics()["websocket_messages_sent_total"] - before
    assert said["messages_per_second"] == pytest.approx(said["messages"] / said["seconds"], rel=1e-3)
    assert 0 < said["server_cpu_seconds"] < said["seconds"]
    assert 0 < said["client_cpu_seconds"] < said["seconds"]
    assert said["wire_bytes_received_per_message"] == pytest.approx(22)
    assert said["latency_us"]["p50"] <= said["latency_us"]["p99.9"] <= said["latency_us"]["max"]
    asked = {"connections": 7, "size": 20, "in_flight": 1, "payload": "text", "extensions": None, "tls": None}
    assert said.items() >= asked.items()


@pytest.mark.parametrize(
    "options",
    [
        ("--size", 1, "--in-flight", 100),
        ("--size", 125, "--payload", "binary"),
        ("--size", 126, "--in-flight", 16),
        ("--size", 65536, "--payload", "json", "--connections", 5),
        ("--size", 16 << 20, "--payload", "binary", "--connections", 2),
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_every_size_is_echoed(program: Path, server: RunningServer, options: tuple[str | int, ...]) -> None:
    assert measured(program, "echo", "--port", server.port, *SHORT, *options)["messages"] > 0


def test_a_long_message_is_read_while_it_is_written_and_after(program: Path) -> None:
    with honest(compression=None) as port:  # reads a whole message before it answers
        options = ("--size", 16 << 20, "--connections", 2)
        assert measured(program, "echo", "--port", port, *SHORT, *options)["messages"] >= 2


@pytest.mark.parametrize("size", [20, 1024, 65536])
def test_a_compressed_echo_is_inflated(program: Path, server: RunningServer, size: int) -> None:
    options = ("--size", size, "--in-flight", 3, "--connections", 5)
    said = measured(program, "echo", "--port", server.port, *SHORT, *DEFLATE, *options)
    assert said["extensions"] == "permessage-deflate"
    assert said["echoes_compressed"] is True
    assert size < 100 or said["wire_bytes_received_per_message"] < size / 2


def test_a_servers_smaller_window_is_kept_to(program: Path) -> None:
    with honest() as port:
        said = measured(program, "echo", "--port", port, *SHORT, *DEFLATE, "--size", 8192, "--connections", 3)
    assert said["extensions"] == "permessage-deflate; server_max_window_bits=12"
    assert said["echoes_compressed"] is True


@pytest.mark.parametrize("takeover", [True, False])
def test_without_context_takeover_every_message_starts_anew(program: Path, takeover: bool) -> None:
    deflater = zlib.compressobj(wbits=-9)

    def answer(first: int, payload: bytes, number: int) -> bytes:
        message = zlib.decompressobj(wbits=-10).decompress(payload + BLOCK_END)
        stream = deflater if takeover else zlib.compressobj(wbits=-9)
        echo = stream.compress(message) + stream.flush(zlib.Z_SYNC_FLUSH)
        return bytes([first]) + server_frame(TEXT, echo.removesuffix(BLOCK_END))[1:]

    terms = 'permessage-deflate; client_no_context_takeover; server_max_window_bits="9"; client_max_window_bits=10'
    if not takeover:
        terms += "; server_no_context_takeover"
    with answering(answer, terms) as port:
        said = measured(program, "echo", "--port", port, *SHORT, *DEFLATE, "--size", 4096, "--connections", 1)
    assert said["extensions"] == terms
    assert said["echoes_compressed"] is True


def test_compression_that_is_declined_on_some_connections_is_counted(program: Path) -> None:
    def answer(first: int, payload: bytes, number: int) -> bytes:
        return bytes([first]) + server_frame(TEXT, payload)[1:]

    with answering(answer, "permessage-deflate", "") as port:
        for mode in ("echo", "idle"):
            said = measured(program, mode, "--port", port, *SHORT, *DEFLATE, "--connections", 6, "--used-once")
            assert (said["extensions"], said["declined"]) == ("permessage-deflate", 3)
            assert said["echoes_compressed"] is False
    with answering(answer, "permessage-deflate", "permessage-deflate; server_no_context_takeover") as port:
        assert "agreed to" in complaint(program, "idle", "--port", port, "--deflate", "--connections", 2)


def test_compression_that_was_declined_or_not_used_is_said(program: Path) -> None:
    with honest(compression=None) as port:
        said = measured(program, "echo", "--port", port, *SHORT, *DEFLATE)
    assert (said["extensions"], said["declined"], said["echoes_compressed"]) == (None, 100, False)

    inflater = zlib.decompressobj(wbits=-15)

    def answer(first: int, payload: bytes, number: int) -> bytes:
        return server_frame(TEXT, inflater.decompress(payload + BLOCK_END))

    with answering(answer, "permessage-deflate") as port:
        said = measured(program, "echo", "--port", port, *SHORT, *DEFLATE, "--connections", 1)
    assert (said["extensions"], said["echoes_compressed"]) == ("permessage-deflate", False)


@pytest.mark.parametrize("options", [(), DEFLATE, ("--size", 1 << 20, "--connections", 2)], ids=["20", "deflate", "1M"])
def test_tls(program: Path, certificate: ssl.SSLContext, options: tuple[str | int, ...]) -> None:
    with honest(ssl=certificate) as port:
        for mode in ("echo", "handshakes"):
            said = measured(program, mode, "--tls", "--port", port, *SHORT, "--connections", 5, *options)
            assert said["tls"].startswith("TLSv1.3 TLS_AES_128_GCM_SHA256")


def test_handshakes_are_counted(program: Path, server: RunningServer) -> None:
    for more in ((), ("--no-echo",)):
        before = server.metrics()
        said = measured(program, "handshakes", "--port", server.port, "--pid", server.pid, *SHORT, *more)
        after = server.metrics()
        connections, messages = (
            after[name] - before[name] for name in ("websocket_connections_total", "websocket_messages_sent_total")
        )
        assert 0 < said["handshakes"] <= connections
        assert said["server_cpu_us_per_handshake"] == pytest.approx(
            said["server_cpu_seconds"] / said["handshakes"] * 1e6, rel=1e-3
        )
        assert (messages > 0) == said["echo"] == (not more)
    server.wait_for_metrics(websocket_active_connections=0)


@pytest.mark.parametrize("options", [(), DEFLATE], ids=["plain", "deflate"])
def test_idle_connections_are_held_until_standard_input_ends(
    program: Path, server: RunningServer, options: tuple[str, ...]
) -> None:
    before = server.metrics()["websocket_messages_received_total"]
    command = [str(program), "idle", "--port", str(server.port), "--connections", "300", "--used-once", *options]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        assert said["connections"] == 300
        assert said["extensions"] == ("permessage-deflate" if options else None)
        seen = server.metrics()
        assert seen["websocket_active_connections"] == 300
        assert seen["websocket_messages_received_total"] - before == 300
        assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0
    server.wait_for_metrics(websocket_active_connections=0)


def test_idle_connections_answer_pings(program: Path, certificate: ssl.SSLContext) -> None:
    pongs = threading.Semaphore(0)

    async def ping(connection: ServerConnection) -> None:
        for _ in range(3):
            await (await connection.ping())
            pongs.release()
        await connection.wait_closed()

    with honest(ping, ssl=certificate) as port:
        command = [str(program), "idle", "--tls", "--port", str(port), "--connections", "5"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert json.loads(process.stdout.readline())["connections"] == 5
            for _ in range(3 * 5):
                assert pongs.acquire(timeout=PATIENCE)
            process.communicate(timeout=PATIENCE)
        assert process.returncode == 0


# ---- latency ----


def test_percentiles_are_right_to_three_digits(program: Path) -> None:
    values = [min(int(random.lognormvariate(7, 3)), 60_000_000) for _ in range(20_011)]
    said = measured(program, "percentiles", text="\n".join(map(str, values)))
    values.sort()
    for thousandths in (500, 900, 990, 999):
        exact = values[
            -(-len(values) * thousandths // 1000) - 1
        ]  # rounded up: the first value that reaches the quantile
        assert exact <= said[f"p{thousandths / 10:g}"] <= exact * (1 + 1 / 1024)
    assert said["max"] == values[-1]
    assert said["mean"] == pytest.approx(sum(values) / len(values), abs=0.1)


@pytest.mark.parametrize("value", [0, 1, 2047, 2048, 2049, 4095, 4096, 1_000_000, 59_999_999, 60_000_000])
def test_the_histogram_holds_every_value_up_to_a_minute(program: Path, value: int) -> None:
    said = measured(program, "percentiles", text=f"{value}\n{70_000_000}\n")
    assert value <= said["p50"] <= value * (1 + 1 / 1024)
    assert said["max"] == 70_000_000
    assert said["p99"] >= 60_000_000


def test_messages_are_sent_at_the_rate_that_is_asked_for(program: Path, server: RunningServer) -> None:
    options = ("--rate", 1000, "--connections", 9, "--seconds", "0.4", "--warm-up", "0.1")
    said = measured(program, "open", "--port", server.port, "--pid", server.pid, *options)
    assert said["messages"] == 400
    assert said["rate"] == 1000
    assert 0 < said["rate_achieved"] < 1300
    assert said["server_cpu_seconds"] > 0
    assert 0 <= said["sends_late"]["p99_us"] <= said["sends_late"]["max_us"]
    assert said["latency_us"]["p50"] > 0


def test_a_stall_is_counted_for_every_message_that_it_delays(program: Path) -> None:
    def answer(first: int, payload: bytes, number: int) -> bytes:
        if number == 50:
            time.sleep(0.3)  # the whole server stands still
        return server_frame(TEXT, payload)

    with answering(answer) as port:
        options = ("--rate", 500, "--connections", 1, "--seconds", "0.8", "--warm-up", 0)
        said = measured(program, "open", "--port", port, *options)
    assert said["messages"] == 400
    # 150 of the 400 messages arrived while the server stood still; the first 100 of them waited for 0.1 s or more.
    assert said["latency_us"]["p90"] > 100_000
    assert said["latency_us"]["max"] > 290_000


# ---- what it detects ----


def test_pings_are_answered_and_fragments_joined(program: Path) -> None:
    pongs: list[bytes] = []

    def answer(first: int, payload: bytes, number: int) -> bytes:
        ping = server_frame(PING, b"%d" % number)
        return b"".join(
            (
                ping,
                server_frame(TEXT, payload[:7], fin=False),
                ping,
                server_frame(0, b"", fin=False),
                server_frame(0, payload[7:]),
            )
        )

    with answering(answer, pongs=pongs) as port:
        said = measured(program, "echo", "--port", port, *SHORT, "--connections", 1)
    assert said["messages"] > 0
    assert pongs[:3] == [b"0", b"1", b"2"]
    assert len(pongs) >= said["messages"]


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_pong_goes_between_two_messages(program: Path, certificate: ssl.SSLContext, tls: bool) -> None:
    """The server would end the connection if a pong arrived within a message."""
    with honest(ssl=certificate if tls else None, compression=None, ping_interval=0.002, ping_timeout=PATIENCE) as port:
        for size, in_flight in ((1 << 20, 6), (1000, 6000)):  # of long messages and of many short ones
            options = ("--size", size, "--in-flight", in_flight, "--connections", 2, *("--tls",) * tls)
            assert measured(program, "echo", "--port", port, *SHORT, *options)["messages"] > 0


def changed(payload: bytes) -> bytes:
    return payload[:-1] + bytes([payload[-1] ^ 1])


def swapped() -> Answer:
    kept = b""

    def answer(first: int, payload: bytes, number: int) -> bytes:
        nonlocal kept
        if number % 2:
            return server_frame(TEXT, payload) + server_frame(TEXT, kept)
        kept = payload
        return server_frame(PING)

    return answer


def lost_one(first: int, payload: bytes, number: int) -> bytes:
    return server_frame(PING) if number == 5 else server_frame(TEXT, payload)


LIES: dict[str, tuple[Answer, str]] = {
    "changed": (lambda _, payload, number: server_frame(TEXT, changed(payload)), "its payload differs"),
    "changed later": (
        lambda _, payload, number: server_frame(TEXT, changed(payload) if number > 20 else payload),
        "its payload differs",
    ),
    "swapped": (swapped(), "its payload differs"),
    "lost": (lost_one, "its payload differs"),
    "twice": (lambda _, payload, number: 2 * server_frame(TEXT, payload), "its payload differs"),
    "a byte less": (lambda _, payload, number: server_frame(TEXT, payload[1:]), "shorter than what was sent"),
    "a byte more": (lambda _, payload, number: server_frame(TEXT, payload + b"!"), "longer than what was sent"),
    "in pieces, a byte less": (
        lambda _, payload, number: server_frame(TEXT, payload[:7], fin=False) + server_frame(0, payload[8:]),
        "shorter than what was sent",
    ),
    "binary": (lambda _, payload, number: server_frame(BINARY, payload), "its opcode differs"),
    "a mask": (lambda _, payload, number: bytes((FIN | TEXT, MASKED | 20)) + payload, "has a mask"),
    "a reserved bit": (lambda _, payload, number: bytes((FIN | 0x10 | TEXT, 20)) + payload, "reserved bits"),
    "as if compressed": (lambda _, payload, number: bytes((FIN | RSV1 | TEXT, 20)) + payload, "was not agreed"),
    "a stray continuation": (lambda _, payload, number: server_frame(0, payload), "out of order"),
    "no rest": (lambda _, payload, number: 2 * server_frame(TEXT, payload[:7], fin=False), "out of order"),
    "a long ping": (lambda _, payload, number: server_frame(PING, bytes(126)), "malformed control frame"),
    "Close": (lambda _, payload, number: server_close(1011, "t\x07red"), "closed by the server with code 1011: t?red"),
    "an empty Close": (lambda _, payload, number: server_frame(CLOSE), "closed by the server with code 1005"),
    "an end": (lambda _, payload, number: b"", "ended by the server without a Close"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_wrong_echo_is_an_error(program: Path, lie: str) -> None:
    answer, expected = LIES[lie]
    with answering(answer) as port:
        # The first message of the first connection is in the sample. Two are in flight, so that they can be swapped.
        said = complaint(program, "echo", "--port", port, *LONG, "--connections", 1, "--in-flight", 2)
    assert said.startswith("load: connection 0: ")
    assert expected in said


def test_an_echo_too_many_is_an_error(program: Path) -> None:
    with answering(lambda _, payload, number: 2 * server_frame(TEXT, payload)) as port:
        options = ("--rate", 10, "--warm-up", 0, "--connections", 1)
        assert "that nothing was sent for" in complaint(program, "open", "--port", port, *options)


def test_a_liar_is_found_in_every_mode(program: Path) -> None:
    with answering(LIES["changed"][0]) as port:
        for mode, *more in (("open", "--rate", 100), ("handshakes",), ("idle", "--used-once")):
            assert "its payload differs" in complaint(program, mode, "--port", port, *SHORT, *more)


def test_a_wrong_compressed_echo_is_an_error(program: Path) -> None:
    inflater, deflater = zlib.decompressobj(wbits=-15), zlib.compressobj(wbits=-15)

    def compressed(payload: bytes) -> bytes:
        data = (deflater.compress(payload) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(BLOCK_END)
        return bytes([FIN | RSV1 | TEXT]) + server_frame(TEXT, data)[1:]

    def inflated(payload: bytes) -> bytes:
        return inflater.decompress(payload + BLOCK_END)

    lies: tuple[tuple[Answer, str], ...] = (
        (lambda _, payload, number: compressed(changed(inflated(payload))), "its payload differs"),
        (lambda _, payload, number: compressed(inflated(payload)[:-1]), "shorter than what was sent"),
        (lambda _, payload, number: compressed(inflated(payload) + b"!"), "longer than what was sent"),
        (lambda first, payload, number: bytes((first, 3)) + b"\xff\xff\xff", "invalid block type"),
    )
    for answer, expected in lies:
        inflater, deflater = zlib.decompressobj(wbits=-15), zlib.compressobj(wbits=-15)
        with answering(answer, "permessage-deflate") as port:
            said = complaint(program, "echo", "--port", port, *SHORT, *DEFLATE, "--connections", 1)
        assert expected in said


@pytest.mark.parametrize(
    ("extensions", "expected"),
    [
        ("permessage-deflate", "was not offered"),
        ("permessage-bzip2", "was not offered"),
        ("permessage-deflate; client_max_window_bits=99", "unknown parameter"),
    ],
)
def test_an_extension_that_was_not_offered_is_an_error(program: Path, extensions: str, expected: str) -> None:
    offer = () if extensions == "permessage-deflate" else ("--deflate",)
    with answering(lambda *_: b"", extensions) as port:
        assert expected in complaint(program, "handshakes", "--port", port, *SHORT, *offer)


def test_a_refused_handshake_is_an_error(program: Path, server: RunningServer) -> None:
    with honest(origins=["https://example.com"]) as port:
        assert "the handshake was refused: HTTP/1.1 403" in complaint(program, "echo", "--port", port)
    assert "TLS: wrong version number" in complaint(program, "echo", "--tls", "--port", server.port)


def test_a_server_process_that_has_ended_is_an_error(program: Path, server: RunningServer) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    said = complaint(program, "echo", "--port", server.port, "--pid", process.pid)
    assert f"no CPU clock of process {process.pid}" in said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "exactly one MODE is needed"),
        (("walk", "--port", 1), "mode is unknown: walk"),
        (("echo",), "--port is missing"),
        (("open", "--port", 1), "--rate is missing"),
        (("echo", "--port", 0), "--port has to be 1 to 65535, not 0"),
        (("echo", "--port", 1, "--connections", "ten"), "--connections has to be 1 to 100000, not ten"),
        (("echo", "--port", 1, "--size", "1.5"), "--size has to be a whole number, not 1.5"),
        (("echo", "--port", 1, "--payload", "xml"), "payload is unknown: xml"),
        (("echo", "--port", 1, "--host", "localhost"), "--host has to be an IPv4 address, not localhost"),
        (("echo", "--port", 1, "--speed", 3), "unrecognized option '--speed'"),
        (("echo", "--port", 1), "cannot connect: Connection refused"),
        (("percentiles",), "standard input has something that is no number"),
    ],
)
def test_a_mistake_is_one_line(program: Path, arguments: tuple[str | int, ...], expected: str) -> None:
    assert expected in complaint(program, *arguments, text="1\ntwo\n")
