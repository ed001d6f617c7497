"""Checks an installed server over the wire, with nothing but the standard library: a wheel, an image, a tool runner.

    python -P tests/installed.py [--codec NAME] [COMMAND ...]      starts COMMAND (default: wsecho) and ends it
    python -P tests/installed.py [--codec NAME] --url http://127.0.0.1:8080

-P keeps this folder off the import path, where its packages would hide those of the standard library.
"""

import argparse
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Any
from urllib.parse import urlsplit

SECONDS = 60
# A tool runner downloads the dependencies first.
START_SECONDS = 300
MESSAGES = ((1, b"hi"), (2, os.urandom(100_000)))
CLOSE = 8


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--codec", choices=("compiled", "python"), help="the codec that the server must have")
    parser.add_argument("--url", help="a server that runs already")
    parser.add_argument("command", nargs="*", default=["wsecho"])
    asked = parser.parse_args()
    if asked.url:
        _wait_until_ready(asked.url)
        checked = check(asked.url)
    else:
        with _running(asked.command) as url:
            checked = check(url)
    if asked.codec and checked["codec"] != asked.codec:
        sys.exit(f"the server has the {checked['codec']} codec, expected {asked.codec}")
    print(f"wsecho {checked['version']} works, with the {checked['codec']} codec.")
    return 0


def check(url: str) -> dict[str, Any]:
    """Echo, run a scenario, read pages and metrics. Return what the server says of itself."""
    before = _count(url)
    with _websocket(url, "/") as stream:
        for opcode, payload in MESSAGES:
            _send(stream, opcode, payload)
            assert _receive(stream) == (opcode, payload), f"a message of {len(payload)} bytes came back changed"
        _send(stream, CLOSE, struct.pack(">H", 1000))
        assert _receive(stream) == (CLOSE, struct.pack(">H", 1000)), "no Close frame with 1000"
    assert _count(url) - before == len(MESSAGES), "the metrics do not show the messages"
    with _websocket(url, "/ws/close/4001") as stream:
        assert _receive(stream) == (CLOSE, struct.pack(">H", 4001)), "the scenario did not close as asked"
    assert b"<html" in _get(url, "/"), "the test client is not served"
    server: dict[str, Any] = json.loads(_get(url, "/info"))["server"]
    return server


@contextmanager
def _running(command: list[str]) -> Iterator[str]:
    """Start a server on a free port, and require that SIGTERM ends it well."""
    with tempfile.TemporaryDirectory() as elsewhere:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0"], cwd=elsewhere, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout
        impatience = Timer(START_SECONDS, process.kill)
        impatience.start()
        try:
            events = (json.loads(line) for line in process.stdout)
            url = next((line["url"] for line in events if line["event"] == "listening"), None)
            assert url, f"{command[0]} started no server"
            yield url
            process.send_signal(signal.SIGTERM)
            process.communicate()
            assert process.returncode == 0, f"exit code {process.returncode} after SIGTERM"
        finally:
            process.kill()
            impatience.cancel()


def _wait_until_ready(url: str) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            _get(url, "/ready")
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _get(url: str, path: str) -> bytes:
    with urllib.request.urlopen(url + path, timeout=SECONDS) as response:
        body: bytes = response.read()
    return body


def _count(url: str) -> float:
    lines = _get(url, "/metrics").decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("websocket_messages_sent_total "))


@contextmanager
def _websocket(url: str, path: str) -> Iterator[Any]:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    key = base64.b64encode(os.urandom(16)).decode()
    head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    with socket.create_connection((host, port), SECONDS) as connection, connection.makefile("rwb") as stream:
        stream.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
        stream.flush()
        status = stream.readline()
        assert b" 101 " in status, status
        while stream.readline() != b"\r\n":
            pass
        yield stream


def _send(stream: Any, opcode: int, payload: bytes) -> None:
    """Send a frame. Its mask is 0, so that the payload stands as it is."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else struct.pack(">BQ", 0x80 | 127, size)
    stream.write(bytes([0x80 | opcode]) + length + bytes(4) + payload)
    stream.flush()


def _receive(stream: Any) -> tuple[int, bytes]:
    first, size = stream.read(2)
    if size > 125:
        size = int.from_bytes(stream.read(2 if size == 126 else 8))
    return first & 0x0F, stream.read(size)


if __name__ == "__main__":
    sys.exit(main())
