"""Scrapes /metrics every second over one persistent connection, as Prometheus does."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator

from benchmarks.servers import BenchmarkError

INTERVAL_SECONDS = 1.0
ANSWER_SECONDS = 5.0
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Scraper(threading.Thread):
    """Scrapes until it is stopped. `answers` counts the responses; `trouble` is the error that ended it early."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.answers = 0
        self.trouble: OSError | None = None
        self._port = port
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            with socket.create_connection(("127.0.0.1", self._port), ANSWER_SECONDS) as connection:
                while not self._stopped.wait(INTERVAL_SECONDS):
                    connection.sendall(REQUEST)
                    read_answer(connection)
                    self.answers += 1
        except OSError as error:
            self.trouble = error

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@contextlib.contextmanager
def scraping(port: int) -> Iterator[None]:
    """Scrape during the block. Raises BenchmarkError if a scrape failed or none was answered."""
    scraper = Scraper(port)
    scraper.start()
    try:
        yield
    finally:
        scraper.stop()
    if scraper.trouble or not scraper.answers:
        raise BenchmarkError(f"/metrics was not answered: {scraper.trouble or 'the window was too short'}")


def scrape(port: int, times: int, interval: float) -> list[float]:
    """Scrape `times` times, every `interval` seconds; return the monotonic time at which each request was sent."""
    sent = []
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as connection:
        for _ in range(times):
            sent.append(time.monotonic())
            connection.sendall(REQUEST)
            read_answer(connection)
            time.sleep(max(0.0, sent[-1] + interval - time.monotonic()))
    return sent


def read_answer(connection: socket.socket) -> None:
    """Read one response to its end. Raises OSError if it is not a response with status 200."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _receive(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if not head.startswith(b"HTTP/1.1 200 ") or not length:
        raise OSError(f"not an answer to a scrape: {head[:80]!r}")
    missing = int(length[1]) - len(body)
    while missing > 0:
        missing -= len(_receive(connection))


def _receive(connection: socket.socket) -> bytes:
    received = connection.recv(65536)
    if not received:
        raise OSError("the server closed the connection of the scrapes")
    return received
