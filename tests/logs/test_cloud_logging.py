"""Fields that Google Cloud reads from log lines: the message, and the trace of the request."""

import json
from typing import Any

import pytest

from tests.conftest import Serve
from tests.shared.clients import BAD_HANDSHAKE, refused
from tests.shared.frames import client_frame
from tests.shared.log_lines import all_lines, with_event
from tests.shared.raw import HANDSHAKE, RawConnection
from wsecho.http.request import Request
from wsecho.logs.cloud_logging import CloudRun

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "00f067aa0ba902b7"


def test_on_cloud_run_a_connections_lines_belong_to_its_trace(serve: Serve) -> None:
    environment = {"K_SERVICE": "echo", "GOOGLE_CLOUD_PROJECT": "my-project"}
    server = serve("--log-level", "debug", environment=environment)
    assert server.listening["message"] == "listening"
    assert "logging.googleapis.com/trace" not in server.listening
    with RawConnection(server.port) as connection:
        field = f"traceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n"
        connection.send(HANDSHAKE.replace(b"\r\n\r\n", b"\r\n" + field.encode()) + client_frame(3))
        connection.receive_all()
    refused(server, BAD_HANDSHAKE.replace(b"\r\n\r\n", f"\r\nX-Cloud-Trace-Context: {TRACE}/1;o=0\r\n\r\n".encode()))
    lines = all_lines(server)
    for event, why in (("websocket opened", ""), ("protocol error", ": reserved opcode"), ("websocket closed", "")):
        (line,) = with_event(event, lines)
        assert line["message"] == event + why
        assert trace_of(line) == (f"projects/my-project/traces/{TRACE}", SPAN, True)
    (line,) = with_event("handshake refused", lines)
    assert trace_of(line) == (f"projects/my-project/traces/{TRACE}", "0000000000000001", False)


def trace_of(fields: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(fields.get(f"logging.googleapis.com/{name}") for name in ("trace", "spanId", "trace_sampled"))


def test_elsewhere_a_trace_is_not_mentioned(serve: Serve) -> None:
    server = serve("--log-level", "debug", environment={"GOOGLE_CLOUD_PROJECT": "my-project"})
    refused(server, BAD_HANDSHAKE.replace(b"\r\n\r\n", f"\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n".encode()))
    assert TRACE not in json.dumps(all_lines(server))
    assert "message" not in server.listening


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-00"}, (TRACE, SPAN, False)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-03"}, (TRACE, SPAN, True)),
        ({"traceparent": f"cc-{TRACE}-{SPAN}-01-more"}, (TRACE, SPAN, True)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01-more"}, None),
        ({"traceparent": f"ff-{TRACE}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{TRACE.upper()}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{'0' * 32}-{SPAN}-01"}, None),
        ({"traceparent": f"00-{TRACE}-{'0' * 16}-01"}, None),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01\n"}, None),
        ({"traceparent": ""}, None),
        ({"x-cloud-trace-context": f"{TRACE}/255;o=1"}, (TRACE, "00000000000000ff", True)),
        ({"x-cloud-trace-context": f"{TRACE}/255"}, (TRACE, "00000000000000ff", False)),
        ({"x-cloud-trace-context": f"{TRACE.upper()}/{2**64 - 1};o=1"}, (TRACE, "f" * 16, True)),
        ({"x-cloud-trace-context": f"{TRACE}/{2**64};o=1"}, None),
        ({"x-cloud-trace-context": f"{TRACE}/0;o=1"}, None),
        ({"x-cloud-trace-context": TRACE}, None),
        ({"traceparent": "none", "x-cloud-trace-context": f"{TRACE}/1;o=1"}, (TRACE, "0000000000000001", True)),
        ({"traceparent": f"00-{TRACE}-{SPAN}-01", "x-cloud-trace-context": f"{TRACE}/1"}, (TRACE, SPAN, True)),
    ],
)
def test_a_trace_is_read_as_its_specification_says(
    headers: dict[str, str], found: tuple[str, str, bool] | None
) -> None:
    request = Request("GET", "/", "/", "", "1.1", tuple(headers.items()), keep_alive=True, has_body=False)
    expected = (f"projects/p/traces/{found[0]}", *found[1:]) if found else (None, None, None)
    assert trace_of(CloudRun("p").trace_fields(request)) == expected
    assert CloudRun("").trace_fields(request) == {}
