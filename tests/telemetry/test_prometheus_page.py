"""The Prometheus page: its metric names and formats, and that every scrape is consistent."""

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics

from tests.conftest import Serve
from tests.shared.collectors import eventually
from tests.shared.frames import TEXT, client_frame
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer
from wsecho.counting.shared_page import SharedPage
from wsecho.telemetry.prometheus_page import PrometheusPage

COUNTERS = {
    "websocket_connections_total",
    "websocket_messages_received_total",
    "websocket_messages_sent_total",
}
HISTOGRAMS = {"websocket_message_size_bytes", "websocket_connection_duration_seconds"}
PROMETHEUS_ACCEPT = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


def test_the_six_metrics_have_exactly_their_names_and_no_labels(server: RunningServer) -> None:
    status, headers, body = server.get("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    types = dict(line.split()[2:4] for line in body.decode().splitlines() if line.startswith("# TYPE"))
    charter = {
        "websocket_active_connections": "gauge",
        **dict.fromkeys(COUNTERS, "counter"),
        **dict.fromkeys(HISTOGRAMS, "histogram"),
    }
    assert charter.items() <= types.items()
    for name in COUNTERS | {"websocket_active_connections"}:
        assert f"\n{name} " in body.decode()


def test_openmetrics_is_sent_to_clients_that_accept_it(server: RunningServer) -> None:
    for accept in (
        PROMETHEUS_ACCEPT,
        'Application/OpenMetrics-Text; version="99.0"',
        "application/openmetrics-text;q=x",
    ):
        _, headers, body = server.get("/metrics", Accept=accept)
        assert headers["content-type"] == (
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
        )
    assert body.endswith(b"# EOF\n")
    families = {family.name: family for family in parse_openmetrics(body.decode())}
    names = {name.removesuffix("_total") for name in COUNTERS} | HISTOGRAMS | {"websocket_active_connections"}
    assert names <= families.keys()
    assert families["websocket_message_size_bytes"].unit == "bytes"
    assert families["websocket_connection_duration_seconds"].unit == "seconds"


@pytest.mark.parametrize(
    "accept",
    [
        *("text/plain;version=1..", "text/plain;version=x", "*/*", "a" * 4000, ";;;=,", "\xe9"),
        *("application/openmetrics-text;q=0", "text/plain, application/openmetrics-text;q=0.1"),
    ],
)
def test_whatever_is_asked_for_gets_a_page_in_a_known_format(server: RunningServer, accept: str) -> None:
    status, headers, _ = server.get("/metrics", Accept=accept)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")


def test_promtool_finds_nothing_to_complain_about(server: RunningServer) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package: prometheus)")
    page = server.get("/metrics")[2]
    check = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert (check.returncode, check.stdout, check.stderr) == (0, b"", b"")


def test_a_real_prometheus_scrapes_every_metric(server: RunningServer, tmp_path: Path) -> None:
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        pytest.skip("prometheus is not installed (Debian package: prometheus)")
    from tests.shared.prometheus import RunningPrometheus, scraping

    with RunningPrometheus(prometheus, scraping(tmp_path, server.port)) as running:
        # The first scrapes may take too long.
        assert running.wait_for_value("up == 1") == 1
        for name in COUNTERS | {"websocket_active_connections"} | {f"{name}_count" for name in HISTOGRAMS}:

            def check(name: str = name) -> None:
                # A connection of an earlier test may end between a scrape and this look.
                assert running.wait_for_value(name) == server.metrics()[name]

            eventually(check)


def test_every_scrape_is_consistent_while_messages_flow(serve: Serve, codec_name: str) -> None:
    server = serve("--codec", codec_name)
    with RawConnection(server.port).open() as connection:
        last = 0.0
        for _ in range(30):
            connection.send(client_frame(TEXT, b"tick") * 50)
            seen = server.metrics()
            assert seen["websocket_messages_received_total"] >= seen["websocket_messages_sent_total"] >= last
            last = seen["websocket_messages_sent_total"]


def test_a_crowd_that_asks_for_the_metrics_shares_two_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[SharedPage] = []
    take = SharedPage.totals
    monkeypatch.setattr(SharedPage, "totals", lambda shared_page: looks.append(shared_page) or take(shared_page))

    async def crowd() -> list[tuple[str, bytes]]:
        telemetry = PrometheusPage(SharedPage(1), Resource.get_empty())
        impatient = asyncio.create_task(telemetry.page(""))
        first = asyncio.create_task(telemetry.page(""))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        later = [asyncio.create_task(telemetry.page("")) for _ in range(100)]
        impatient.cancel()
        return await asyncio.gather(first, *later)

    assert all(page.endswith(b"\n") for _, page in asyncio.run(crowd()))
    assert len(looks) == 2
