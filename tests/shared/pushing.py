"""Servers that export telemetry, traffic for them, and the metrics to compare."""

import math
import re

from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.shared.frames import BINARY, CLOSE, CONTINUATION, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import RawConnection
from tests.shared.server import RunningServer


def pushing(endpoint: str, **more: str) -> dict[str, str]:
    """Return the environment of a server that pushes metrics ten times a second."""
    return {
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "100",
        **more,
    }


def traffic(server: RunningServer) -> None:
    """Make traffic for every metric: several sizes, fragments, a violation that is answered, a reset."""
    with RawConnection(server.port).open() as client:
        for size in (0, 1, 64, 65, 1000, 100_000):
            client.send(client_frame(BINARY, bytes(size)))
            client.receive(len(server_frame(BINARY, bytes(size))))
        client.send(client_frame(TEXT, b"in ", fin=False) + client_frame(CONTINUATION, b"two") + client_frame(CLOSE))
        assert client.receive_all().endswith(server_frame(CLOSE))
    with RawConnection(server.port).open() as client:
        client.send(client_frame(TEXT, b"\xff"))
        assert client.receive_all() == server_close(1007, "text is not valid UTF-8")
    client = RawConnection(server.port).open()
    client.send(client_frame(BINARY, bytes(70_000))[:1000])
    client.reset()
    server.get("/nowhere")


def page(server: RunningServer) -> dict[str, float]:
    """Return those samples of the page that do not change while no client is connected."""
    server.wait_for_metrics(websocket_active_connections=0)
    samples = {}
    for family in text_string_to_metric_families(server.get("/metrics")[2].decode()):
        for sample in family.samples:
            labels = ",".join(sorted(f'{name}="{value}"' for name, value in sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return settled(samples)


def settled(samples: dict[str, float]) -> dict[str, float]:
    """Leave out what scraping and time change, and spell the remaining names as Prometheus does."""
    settled = {}
    for name, value in samples.items():
        # Over OTLP, a metric has the name and the attributes of the semantic conventions.
        spelt = re.sub(r"(?<=[a-z])\.(?=[a-z])", "_", name).replace(',http_route=""', "")
        spelt = re.sub(r"(?<=request_duration)(?!_seconds)", "_seconds", spelt)
        if spelt.startswith(("websocket_", "http_server_")) and "/metrics" not in spelt:
            settled[spelt] = value
    return settled


def differences(received: dict[str, float], expected: dict[str, float]) -> dict[str, tuple[float, float]]:
    """Return what was received and what was expected, for each sample in which they differ; nan is a missing one.

    A sum of deltas has been rounded more often than the sum that is expected.
    """
    pairs = {
        name: (received.get(name, math.nan), expected.get(name, math.nan)) for name in received.keys() | expected.keys()
    }
    return {name: pair for name, pair in pairs.items() if not math.isclose(*pair, rel_tol=1e-9)}


def everything(endpoint: str) -> dict[str, str]:
    """Return the environment of a server that exports all signals, often."""
    variables = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}
    delays = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_BLRP_SCHEDULE_DELAY": "50"}
    return pushing(endpoint, **variables, **delays)


def echo_some(server: RunningServer) -> None:
    for _ in range(20):
        with connect(server.ws_url) as client:
            client.send("unimpressed")
            assert client.recv() == "unimpressed"
