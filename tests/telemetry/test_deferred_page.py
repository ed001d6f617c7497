"""The metrics page that is made at the first scrape: while echoes go on, for all who ask, and through failures."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import RawConnection
from tests.shared.reloads import forgive
from tests.shared.server import PATIENCE, ROOT, RunningServer
from tests.shared.tls_records import ALERT, CLOSE_NOTIFY, DATA, RecordWriter
from wsecho.counting.shared_page import SharedPage
from wsecho.telemetry.deferred_page import DeferredPage
from wsecho.telemetry.prometheus_page import PrometheusPage

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
LIMITS = ("--handshake-timeout", "2s", "--keep-alive-timeout", "2s", "--close-timeout", "2s")


def echo(connection: RawConnection) -> None:
    connection.send(client_frame(TEXT, b"tick"))
    assert connection.receive(6) == server_frame(TEXT, b"tick")


def miss_time_limit(server: RunningServer) -> None:
    """Let a later client, which sends no request, reach its time limit."""
    with RawConnection(server.port, tls=server.client_tls) as silent, suppress(ssl.SSLEOFError):
        assert silent.receive_all() == b""


def names(page: bytes) -> set[str]:
    """Return the names of the metrics on a page, and those of their series that count something else than requests."""
    lines = page.decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("http_server_request")}


def test_the_first_scrapes_of_many_are_complete_while_echoes_go_on(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with RawConnection(server.port).open() as connection, ThreadPoolExecutor(8) as pool:
        scrapes = [pool.submit(server.get, "/metrics") for _ in range(8)]
        echoed = 0
        while not all(scrape.done() for scrape in scrapes):
            echo(connection)
            echoed += 1
        _, _, later = server.get("/metrics")
        for status, headers, page in (scrape.result() for scrape in scrapes):
            assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
            assert names(page) == names(later)
            assert b"\nwebsocket_active_connections 1.0\n" in page
        assert server.metrics()["websocket_messages_sent_total"] == echoed


@contextmanager
def importing(serve: Serve, tmp_path: Path, *options: str) -> Iterator[tuple[RunningServer, RawConnection, Path]]:
    """Yield a server whose first scrape waits for a file, the client that has asked for it, and the file."""
    proceed, begun = tmp_path / "proceed", tmp_path / "begun"
    os.mkfifo(proceed)
    os.mkfifo(begun)
    server = serve(
        *options,
        command=patched(
            "from wsecho.telemetry import exports; make = exports.Exports._make_metrics_page\n"
            f"wait = lambda: (open({str(begun)!r}, 'w').close(), open({str(proceed)!r}).close())\n"
            "exports.Exports._make_metrics_page = lambda *arguments: (wait(), make(*arguments))[1]"
        ),
    )
    with RawConnection(server.port, tls=server.client_tls) as client:
        client.send(SCRAPE)
        begun.read_bytes()
        yield server, client, proceed


def test_echoes_and_other_requests_do_not_wait_for_the_import(serve: Serve, tmp_path: Path) -> None:
    with importing(serve, tmp_path) as (server, client, proceed), RawConnection(server.port).open() as connection:
        echo(connection)
        assert server.get("/health")[0] == 200
        proceed.write_bytes(b"")
        assert client.receive_all().startswith(b"HTTP/1.1 200 OK\r\n")


def test_no_time_limit_of_a_client_runs_during_the_import(serve: Serve, codec_name: str, tmp_path: Path) -> None:
    with importing(serve, tmp_path, "--codec", codec_name, *LIMITS) as (server, client, proceed):
        miss_time_limit(server)
        proceed.write_bytes(b"")
        assert client.receive_all().startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.metrics()['websocket_timeouts_total{limit="handshake"}'] == 1


def test_no_time_limit_of_a_tls_client_that_has_closed_runs_during_the_import(
    serve: Serve, codec_name: str, tmp_path: Path
) -> None:
    with importing(serve, tmp_path, "--codec", codec_name, "--tls-self-signed", *LIMITS) as (server, _, proceed):
        assert server.client_tls
        with RecordWriter(server.port, server.client_tls, tmp_path) as client:
            client.send(client.record(DATA, SCRAPE) + client.record(ALERT, CLOSE_NOTIFY))
            miss_time_limit(server)
            proceed.write_bytes(b"")
            # The page, still encrypted.
            assert len(client.receive_all()) > 10_000


def test_a_drain_waits_for_the_answer_to_the_first_scrape(serve: Serve, tmp_path: Path) -> None:
    with importing(serve, tmp_path) as (server, client, proceed):
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        proceed.write_bytes(b"")
        assert client.receive_all().startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.wait() == 0


def test_an_import_that_takes_too_long_does_not_keep_the_process(serve: Serve, tmp_path: Path) -> None:
    with importing(serve, tmp_path) as (server, client, _):
        server.process.send_signal(signal.SIGTERM)
        server.wait_for_log("draining")
        server.process.send_signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not client.receive_all()


def test_a_reload_during_the_import_takes_effect(serve: Serve, tmp_path: Path) -> None:
    with importing(serve, tmp_path) as (server, client, proceed):
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log("reloaded")
        proceed.write_bytes(b"")
        assert client.receive_all().startswith(b"HTTP/1.1 200 OK\r\n")


def test_after_a_failed_import_the_next_scrape_tries_again(serve: Serve) -> None:
    server = serve(
        command=patched(
            "from wsecho.telemetry import exports\n"
            "make, errors = exports.Exports._make_metrics_page, [MemoryError()]\n"
            "def fail_once(*arguments):\n"
            "    if errors: raise errors.pop()\n"
            "    return make(*arguments)\n"
            "exports.Exports._make_metrics_page = fail_once"
        )
    )
    assert server.get("/metrics")[0] == 500
    assert server.wait_for_log("request failed")["path"] == "/metrics"
    assert server.get("/metrics")[0] == 200
    server.stop()
    forgive(server, "request failed")


@pytest.mark.parametrize("options", [[], ["--workers", "2"]], ids=["one worker", "several"])
def test_a_package_that_only_the_first_scrape_needs_is_missed_at_the_start(options: list[str], tmp_path: Path) -> None:
    code = (
        "import sys, importlib.abc\n"
        "class Hidden(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'prometheus_client': raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "from wsecho.__main__ import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "--host", "127.0.0.1", "--port", "0", *options]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert ran.stderr.startswith("wsecho: No module named 'prometheus_client' in ")


class Making:
    """Counts how often the page is made, and waits each time until it may go on."""

    def __init__(self) -> None:
        self.count = 0
        self.may_end = threading.Event()

    def __call__(self) -> PrometheusPage:
        self.count += 1
        assert self.may_end.wait(PATIENCE)
        return PrometheusPage(SharedPage(1), Resource.get_empty())


def test_the_page_is_made_once_for_all_even_if_the_first_has_left() -> None:
    making = Making()

    async def crowd() -> list[Any]:
        deferred = DeferredPage(making)
        impatient = asyncio.create_task(deferred.page(""))
        others = [asyncio.create_task(deferred.page("")) for _ in range(10)]
        await asyncio.sleep(0)
        impatient.cancel()
        making.may_end.set()
        return [*await asyncio.gather(*others), await deferred.page("")]

    pages = asyncio.run(crowd())
    assert making.count == 1
    assert len(pages) == 11
    assert all(page.endswith(b"\n") for _, page in pages)


def test_a_loop_that_cannot_be_told_at_once_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    making = Making()
    making.may_end.set()

    async def ask() -> tuple[str, bytes]:
        loop = asyncio.get_running_loop()
        tell, failures = loop.call_soon_threadsafe, [MemoryError()]

        def fail_once(*arguments: Any) -> Any:
            if failures:
                raise failures.pop()
            return tell(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", fail_once)
        return await asyncio.wait_for(DeferredPage(making).page(""), PATIENCE)

    assert asyncio.run(ask())[1].endswith(b"\n")
    assert making.count == 1


def test_without_its_event_loop_the_thread_ends_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    making = Making()

    async def leave() -> None:
        asking = asyncio.create_task(DeferredPage(making).page(""))
        await asyncio.sleep(0)
        asking.cancel()

    asyncio.run(leave())
    making.may_end.set()
    for thread in threading.enumerate():
        if thread.name == "metrics":
            thread.join(PATIENCE)
    assert capfd.readouterr() == ("", "")
