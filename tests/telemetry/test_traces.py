"""Spans as a collector receives them: one for each request; that of a WebSocket lasts until the connection ends.

Modules: `traces`, `spans`.
"""

import base64
import signal
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

import pytest
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from websockets.sync.client import connect

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.collectors import OtelTap, Span, wait_until
from tests.shared.echoing import CODECS
from tests.shared.frames import BINARY, CLOSE, PING, TEXT, client_frame, server_close, server_frame
from tests.shared.raw import HANDSHAKE, RawConnection
from tests.shared.server import PATIENCE, RunningServer
from tests.shared.trace_context import NOT_SAMPLED, PARENT_ID, SAMPLED, TRACE_ID
from wsecho.counting.shared_page import SharedPage
from wsecho.http.request import Request
from wsecho.telemetry.traces import SdkTraces

Tracing = Callable[..., RunningServer]


@pytest.fixture
def collector() -> Iterator[OtelTap]:
    with OtelTap() as running:
        yield running


@pytest.fixture
def tracing(collector: OtelTap, serve: Serve) -> Tracing:
    """Starts servers that export their spans immediately."""

    def start(*options: str, settings: dict[str, Any] | None = None, **variables: str) -> RunningServer:
        environment = {
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "20",
            **variables,
        }
        return serve(*options, environment=environment, **(settings or {}))

    return start


def received(collector: OtelTap, count: int) -> list[Span]:
    """Return the spans once there are `count` of them."""
    wait_until(lambda: len(collector.spans()) >= count, collector.spans)
    assert len(collector.spans()) == count
    return collector.spans()


def with_fields(*fields: str) -> bytes:
    """Return a handshake with additional header fields."""
    return HANDSHAKE[:-2] + "".join(f"{field}\r\n" for field in fields).encode() + b"\r\n"


def test_a_connection_is_one_span_from_its_handshake_to_its_end(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing("--trusted-proxy", "127.0.0.1,10.0.0.0/8")
    handshake = with_fields("User-Agent: of the tests", "X-Forwarded-For: 192.0.2.7, 10.0.0.1")
    with RawConnection(server.port).open(handshake.replace(b"Host: here", b"Host: echo.example:81")) as client:
        frames = client_frame(TEXT, b"one") + client_frame(PING, b"not one") + client_frame(BINARY, b"two")
        client.send(frames)
        assert client.receive(len(frames) - 3 * 4)
        assert not collector.spans()
        client.send(client_frame(CLOSE, (1000).to_bytes(2, "big")))
        client.receive_all()
        peer_port = client.socket.getsockname()[1]
    (span,) = received(collector, 1)
    assert (span.name, span.kind, span.status, span.parent_id) == ("GET /{websocket}", "SERVER", "UNSET", "")
    assert span.events == ["websocket.open"]
    assert span.attributes == {
        "http.request.method": "GET",
        "http.route": "/{websocket}",
        "http.response.status_code": 101,
        "url.scheme": "http",
        "url.path": "/",
        "network.protocol.name": "http",
        "network.protocol.version": "1.1",
        "network.peer.address": "127.0.0.1",
        "network.peer.port": peer_port,
        "client.address": "192.0.2.7",
        "server.address": "echo.example",
        "server.port": 81,
        "user_agent.original": "of the tests",
        "websocket.close.code": 1000,
        "websocket.close.initiator": "client",
        "websocket.messages.received": 2,
        "websocket.bytes.received": 6,
        "websocket.bytes.sent": 6,
    }


def test_neither_messages_nor_queries_get_into_a_span(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing()
    url = f"{server.ws_url}/some/where?token=SECRET"
    with connect(url, subprotocols=["chat"], additional_headers={"Authorization": "Bearer SECRET"}) as client:  # type: ignore[list-item]
        for _ in range(100):
            client.send("SECRET")
            assert client.recv() == "SECRET"
        client.close(1000, "SECRET")
    (span,) = received(collector, 1)
    assert (span.name, span.attributes["url.path"]) == ("GET /{websocket}", "/some/where")
    assert span.attributes["websocket.subprotocol"] == "chat"
    assert span.attributes["websocket.messages.received"] == 100
    assert "SECRET" not in str(span)


@pytest.mark.parametrize(
    ("frame", "code", "initiator", "error"),
    [
        (client_frame(TEXT, b"\xff"), 1007, "server", "invalid_utf8"),
        (client_frame(3), 1002, "server", "reserved_opcode"),
        (client_frame(BINARY, bytes(2000)), 1009, "server", "message_too_big"),
        (client_frame(CLOSE, (1011).to_bytes(2, "big")), 1011, "client", "1011"),
        (client_frame(CLOSE, (1001).to_bytes(2, "big")), 1001, "client", None),
        (client_frame(CLOSE, (4000).to_bytes(2, "big")), 4000, "client", None),
        (client_frame(CLOSE), 1005, "client", None),
        (b"", 1006, "client", "1006"),
    ],
)
def test_how_a_connection_ended(
    tracing: Tracing, collector: OtelTap, frame: bytes, code: int, initiator: str, error: str | None
) -> None:
    server = tracing("--max-message-size", "1000")
    with RawConnection(server.port).open() as client:
        client.send(frame)
        client.half_close()
        client.receive_all()
    (span,) = received(collector, 1)
    assert span.attributes["websocket.close.code"] == code
    assert span.attributes["websocket.close.initiator"] == initiator
    assert span.attributes.get("error.type") == error
    # Nothing that a peer does is an error of the server.
    assert span.status == "UNSET"


def test_plain_requests_and_refusals_are_spans_of_their_own(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing()
    server.get("/info")
    server.get("/nowhere")
    server.get("/ws")
    with RawConnection(server.port) as client:
        client.send(HANDSHAKE.replace(b"Version: 13", b"Version: 8").replace(b"GET / ", b"GET /any "))
        client.receive_all()
    seen = {span.name: span.attributes["http.response.status_code"] for span in received(collector, 4)}
    assert seen == {"GET /info": 200, "GET": 404, "GET /{websocket}": 426}
    assert {span.status for span in collector.spans()} == {"UNSET"}
    assert not any("error.type" in span.attributes for span in collector.spans())


def test_what_is_polled_all_day_is_not_traced(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing()
    for path in ("/health", "/healthz", "/livez", "/ready", "/readyz", "/metrics", "/info"):
        assert server.get(path)[0] == 200
    server.stop()
    assert [span.name for span in received(collector, 1)] == ["GET /info"]


def test_unknown_methods_make_no_names(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing()
    with RawConnection(server.port) as client:
        client.send(b"PROPFIND /info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert client.receive_all().startswith(b"HTTP/1.1 405")
    (span,) = received(collector, 1)
    assert span.name == "HTTP /info"
    assert span.attributes["http.request.method"] == "_OTHER"
    assert span.attributes["http.request.method_original"] == "PROPFIND"


def test_the_parent_is_the_one_in_the_handshake(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing()
    for fields in ([f"Traceparent: {SAMPLED}", "tracestate: a=1", "baggage: k=v"], [f"traceparent: {NOT_SAMPLED}"]):
        with RawConnection(server.port).open(with_fields(*fields)) as client:
            client.send(client_frame(CLOSE))
            client.receive_all()
    server.wait_for_metrics(websocket_active_connections=0)
    server.stop()
    # The default sampler follows the parent, so the second span is not recorded.
    (span,) = received(collector, 1)
    assert (span.trace_id, span.parent_id) == (TRACE_ID, PARENT_ID)


@pytest.mark.parametrize(
    "fields",
    [
        ["traceparent: 00-zz-zz-01"],
        ["traceparent: " + "0" * 8000],
        [f"traceparent: {SAMPLED}", f"traceparent: {SAMPLED.replace('0af', '1af')}"],
        ["tracestate: " + "=," * 3000, f"traceparent: {SAMPLED[:-1]}"],
        ["baggage: " + ";=%," * 2000],
        ["X-Forwarded-For: ,,,\xff", "User-Agent: " + "\xe9" * 4000],
    ],
)
def test_bad_context_is_no_reason_to_refuse_or_to_be_verbose(
    tracing: Tracing, collector: OtelTap, fields: list[str]
) -> None:
    server = tracing()
    handshake = with_fields().replace(b"\r\n\r\n", b"\r\n" + "\r\n".join([*fields, "", ""]).encode("latin-1"))
    for _ in range(3):
        with RawConnection(server.port).open(handshake) as client:
            client.send(client_frame(TEXT, b"hello"))
            assert client.receive(7) == server_frame(TEXT, b"hello")
            client.send(client_frame(CLOSE))
            client.receive_all()
    assert all(len(str(value)) <= 256 for span in received(collector, 3) for value in span.attributes.values())
    server.stop()
    assert not server.complaints()
    assert len([line for line in server.logs if line["event"] == "opentelemetry"]) <= 1


def test_propagation_can_be_switched_off(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing(OTEL_PROPAGATORS="none")
    server.get("/info", traceparent=SAMPLED)
    (span,) = received(collector, 1)
    assert span.trace_id != TRACE_ID
    assert span.parent_id == ""


@pytest.mark.parametrize(
    ("sampler", "argument", "parents"),
    [
        ("always_off", "", []),
        ("always_on", "", [SAMPLED, NOT_SAMPLED, ""]),
        ("parentbased_always_off", "", [SAMPLED]),
        ("traceidratio", "0", []),
        ("parentbased_traceidratio", "0.0", [SAMPLED]),
    ],
)
def test_the_sampler_decides(
    tracing: Tracing, collector: OtelTap, sampler: str, argument: str, parents: list[str]
) -> None:
    server = tracing(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
    for parent in (SAMPLED, NOT_SAMPLED, ""):
        server.get("/info", traceparent=parent)
    assert server.stop() == 0
    assert len(received(collector, len(parents))) == len(parents)
    with_parent = [span for span in collector.spans() if span.parent_id == PARENT_ID]
    assert len(with_parent) == len([parent for parent in parents if parent])


@pytest.mark.parametrize("reads", [True, False])
def test_spans_that_are_open_end_when_the_server_stops(tracing: Tracing, collector: OtelTap, reads: bool) -> None:
    # The delay is long, so whatever arrives was flushed at shutdown.
    # On a busy machine, the last export can take longer than a server whose time is over waits for it.
    patient = {"command": patched(f"from wsecho.telemetry import exports; exports._MIN_SECONDS = {PATIENCE}")}
    server = tracing("--drain-timeout", "1s", settings=patient, OTEL_BSP_SCHEDULE_DELAY="60000")
    with RawConnection(server.port).open() as client, RawConnection(server.port).open() as other:
        other.send(client_frame(TEXT, b"\xff"))
        assert other.receive_all() == server_close(1007, "text is not valid UTF-8")
        other.socket.close()
        server.wait_for_metrics(websocket_active_connections=1)
        server.process.send_signal(signal.SIGTERM)
        assert client.receive(2 + 2 + 23) == server_close(1001, "server is shutting down")[:27]
        if reads:
            client.send(client_frame(CLOSE, (1001).to_bytes(2, "big")))
        assert server.wait() == 0
    ended = {span.attributes["websocket.close.code"]: span for span in received(collector, 2)}
    assert ended.keys() == {1007, 1001}
    assert "error.type" not in ended[1001].attributes


def test_a_failure_of_the_server_is_an_error(collector: OtelTap) -> None:
    """No peer can cause such a failure, so it cannot be tested through the wire."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    traces = SdkTraces([OTLPSpanExporter(f"{collector.endpoint}/v1/traces")], Resource({}), log)
    request = Request("GET", "/", "/", "", "1.1", (), keep_alive=True, has_body=False)
    traces.answered(request, "/", 500, perf_counter())
    connection = traces.opened(request, "/{websocket}", None, perf_counter())
    codec = CODECS["python"]
    buffer, counters = codec.ReceiveBuffer(16, 8), codec.MessageCounters(SharedPage(workers=1).rows[0].echo)
    connection.close(1011, "server", codec.Echo(buffer, counters, 8, 8))
    for end in traces.shutdowns:
        end()
    assert [(span.status, span.attributes["error.type"]) for span in received(collector, 2)] == [
        ("ERROR", "500"),
        ("ERROR", "1011"),
    ]


def test_an_encrypted_connection_says_so(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing("--tls-self-signed")
    server.get("/info")
    (span,) = received(collector, 1)
    assert span.attributes["url.scheme"] == "https"


def test_tokens_stay_out_of_spans_wherever_a_client_puts_them(tracing: Tracing, collector: OtelTap) -> None:
    server = tracing("--auth-token", "open-sesame")
    name = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(b"open-sesame").decode().rstrip("=")
    with RawConnection(server.port) as client:
        client.send(with_fields(f"Sec-WebSocket-Protocol: {name}, chat"))
        assert b"101 Switching" in client.receive(40)
        client.send(client_frame(CLOSE))
        client.receive_all()
    server.get("/info?access_token=open-sesame", Authorization="Bearer open-sesame")
    for span in received(collector, 2):
        assert "sesame" not in str(span)
        assert name[-8:] not in str(span)
    assert {span.attributes.get("websocket.subprotocol") for span in collector.spans()} == {"chat", None}
