"""Header fields that are lists have bounds, and no header field makes a request expensive, whatever it contains."""

import ast
import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic, process_time

import pytest
from opentelemetry import propagate

from tests.conftest import Serve
from tests.faults.patched import patched
from tests.shared.collectors import OtelTap
from tests.shared.frames import CLOSE, TEXT, client_frame, server_close, server_frame
from tests.shared.heads import head, read
from tests.shared.json_web_keys import public_pem
from tests.shared.raw import HANDSHAKE, SWITCHED, RawConnection
from tests.shared.server import PATIENCE, ROOT, RunningServer
from tests.shared.trace_context import SAMPLED
from wsecho.http.http1 import MAX_FIELDS_SIZE, MAX_REQUEST_LINE
from wsecho.http.list_fields import BOUNDS
from wsecho.http.request import Request

# The CPU time that a head may cost more than one with empty fields, on a machine on which `slowness` measures
# YARDSTICK_SECONDS. Slower machines, and virtual ones that share their cores, get more time.
MOST_SECONDS = 5e-3
YARDSTICK_SECONDS = 5e-3
# The lowest of this number of measurements counts, because other work on the machine can only add to a measurement.
ATTEMPTS = 10
TOKEN = "open-sesame"

READS = ("values", "value", "tokens", "has_token")
# The modules that compute the name of a field, and their expression for it. The names are those in BOUNDS or those of
# a propagator.
COMPUTED = {"list_fields": "name", "traces": "key.lower()"}

# The parts of lists, and the words that the server looks for in them.
UNITS = (
    *(",", ";", "&", "=", " ", '"', "-", "?", "a", "1"),
    *("a,", "a;", "a&", "a=b,", "a=b;", "%61=%62&", "a%2c=%41,", 'a;b="c",', "W/\"a\",", "{},"),
    *("10.0.0.1,", "for=10.0.0.1,", 'for="[::1]";proto=https,', "::1,", "https,"),
    *("access_token=a&", "base64url.bearer.authorization.k8s.io.YQ,", "permessage-deflate,", "websocket,"),
    *("a;client_max_window_bits=9,", "text/plain;q=0.1,", "application/openmetrics-text;q=1;", "a/b;q=0.123;"),
    *("gzip;q=0,", "gzip;\tq=1;"),
)  # fmt: skip


def asked_for() -> Iterator[tuple[str, str]]:
    """Yield each method that wsecho's code calls to read a field of a request, with the name of the field."""
    for file in sorted((ROOT / "wsecho").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                asked, method = ast.unparse(call.func.value), call.func.attr
                if asked in ("request", "carrier") and method in READS:
                    yield from ((method, field) for field in named(file, call.args[0]))


def named(file: Path, argument: ast.expr) -> list[str]:
    if isinstance(argument, ast.Constant):
        return [str(argument.value)]
    if isinstance(argument, ast.Name) and argument.id.isupper():
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        return [str(getattr(importlib.import_module(module), argument.id))]
    assert ast.unparse(argument) == COMPUTED.get(file.stem), f"which field does {file} ask for?"
    return sorted(propagate.get_global_textmap().fields) if file.stem == "traces" else list(BOUNDS)


FIELDS = sorted({field for _, field in asked_for()})


def test_every_field_that_is_read_as_a_list_has_its_bound() -> None:
    lists = {field for method, field in asked_for() if method in ("tokens", "has_token")}
    assert lists
    assert lists <= BOUNDS.keys()
    # These are known to be read. They show that the search in the sources works.
    assert {"accept", "authorization", "baggage", "forwarded", "host", "traceparent", "x-forwarded-for"} <= set(FIELDS)


@pytest.mark.parametrize("field", BOUNDS)
@pytest.mark.parametrize(("elements", "size"), [(0, 0), (1, 0), (0, 1)])
@pytest.mark.parametrize("fields", [1, 2])
def test_a_list_is_read_to_its_bound_and_refused_beyond(field: str, elements: int, size: int, fields: int) -> None:
    bound = BOUNDS[field]
    values = ["a," * (bound.elements - fields + elements)] + [""] * (fields - 1)
    values[-1] += "b" * (bound.size + size - sum(map(len, values)))
    result = read([head("GET / HTTP/1.1", "Host: a", *(f"{field}: {value}" for value in values))])
    if elements or size:
        assert result == 431
    else:
        assert isinstance(result, Request)
        assert result.values(field) == values


def test_a_list_that_is_too_long_is_refused_in_words(server: RunningServer) -> None:
    for value, words in (("," * 32, "has more than 32 elements"), ("a" * 4097, "is longer than 4096 bytes")):
        with RawConnection(server.port) as client:
            client.send(HANDSHAKE[:-2] + f"Sec-WebSocket-Extensions: {value}\r\n\r\n".encode())
            answer = client.receive_all()
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert answer.endswith(f"\r\n\r\nthe header field sec-websocket-extensions {words}\n".encode())


def values(field: str) -> Iterator[list[str]]:
    """Yield values of a field: as long as a head can be, and as long as the field's bound allows."""
    for unit in UNITS:
        yield [(unit * MAX_FIELDS_SIZE)[: MAX_FIELDS_SIZE - 1000]]
        if field in propagate.get_global_textmap().fields or "forwarded" in field:
            yield [(unit * 4096)[:4096]]
    numbers = [f"k{number}=v" for number in range(5000)]
    yield [",".join(numbers)[: MAX_FIELDS_SIZE - 1000]]
    yield [",".join(numbers[:64]), ";".join(numbers)[: 7 * 1024]]
    yield [",".join(numbers[:31]) + ";".join(numbers)[: 3 * 1024]]
    yield [f"{unit * (300 // len(unit))}" for unit in (UNITS * 3)[:90]]
    if field in BOUNDS:
        for unit in UNITS:
            element = unit.replace(",", ";")
            size = BOUNDS[field].size // 32
            yield [",".join([(element * size)[: size - 1]] * 32)]


def heads(field: str) -> Iterator[bytes]:
    """Yield requests of each kind that reads fields: first without the field, then with each of its values."""
    page = {"accept": "/metrics", "accept-encoding": "/", "if-none-match": "/"}.get(field, "/info")
    for value in [[], *values(field)]:
        lines = [f"{field}: {one}" for one in value]
        credentials = [] if field == "authorization" else [f"Authorization: Bearer {TOKEN}"]
        trace = [] if field == "traceparent" else [f"traceparent: {SAMPLED}"]
        host = [] if field == "host" else ["Host: a"]
        yield head(f"GET {page} HTTP/1.1", *host, *trace, *credentials, *lines)
        yield HANDSHAKE[:-2] + "".join(f"{line}\r\n" for line in (*trace, *credentials, *lines)).encode() + b"\r\n"


def queries() -> Iterator[bytes]:
    size = MAX_REQUEST_LINE - 100
    for query in ["", *((unit.replace(" ", "+") * size)[:size] for unit in UNITS)]:
        for target in (f"/info?{query}", f"http://a/info?{query}", f"/{query}"):
            yield head(f"GET {target} HTTP/1.1", "Host: a", f"Authorization: Bearer {TOKEN}")


class Meter:
    """Measures the CPU time of a server's event loop."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._file = Path(f"/proc/{server.pid}/task/{server.pid}/schedstat")
        self._counted = self._settled()

    def seconds(self, request: bytes) -> float:
        """Return the CPU time for one request: accepting its connection, answering, and closing."""
        before = self._counted
        with RawConnection(self._server.port) as client:
            client.send(request)
            assert client.socket.recv(1 << 16)
        self._counted = self._settled()
        return self._counted - before

    def least(self, request: bytes, wanted: float) -> float:
        """Return the lowest of several measurements. Stop at the first one that is not above `wanted`."""
        least = float("inf")
        for _ in range(ATTEMPTS):
            least = min(least, self.seconds(request))
            if least <= wanted:
                break
        return least

    def _settled(self) -> float:
        """Return the CPU time in seconds once it does not change any more."""
        deadline = monotonic() + PATIENCE
        counted = -1
        while monotonic() < deadline:
            before, counted = counted, int(self._file.read_text().split()[0])
            if before == counted:
                return counted * 1e-9
            Event().wait(0.0005)
        raise AssertionError("the server does not come to rest")


def slowness() -> float:
    """Return how many times slower this machine is now than the one of YARDSTICK_SECONDS; 1 if it is faster."""
    counts = []
    for _ in range(ATTEMPTS):
        before = process_time()
        sum(number * number for number in range(100_000))
        counts.append(process_time() - before)
    return max(1.0, min(counts) / YARDSTICK_SECONDS)


def too_dear(server: RunningServer, requests: Iterable[bytes]) -> list[tuple[bytes, float]]:
    """Return the requests that cost too much, with the CPU time of each."""
    meter = Meter(server)
    by_line: dict[bytes, float] = {}
    found = []
    for request in requests:
        line = request.split(b"?")[0].split(b"\r\n")[0][:12]
        # The first request of each kind has an empty field.
        base = by_line.setdefault(line, 0.0) or meter.least(request, 0.0)
        by_line[line] = base
        cost = meter.least(request, base + MOST_SECONDS) - base
        if cost > MOST_SECONDS and cost > MOST_SECONDS * slowness():
            found.append((request[:60] + b"..." + request[-40:], cost))
    return found


@pytest.fixture(scope="module")
def collector() -> Iterator[OtelTap]:
    with OtelTap() as running:
        yield running


@pytest.mark.parametrize(("forwarded", "fields"), [("x-forwarded-for", FIELDS), ("forwarded", ["forwarded"])])
def test_no_field_makes_a_head_cost_more_than_a_few_milliseconds(
    forwarded: str, fields: list[str], serve: Serve, collector: OtelTap, tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(public_pem("ec"))
    options = ["--trusted-proxy", "127.0.0.0/8,10.0.0.0/8", "--forwarded-header", forwarded, "--auth-token", TOKEN]
    server = serve(
        *options,
        *("--basic-auth", "aladdin:open sesame", "--jwt-key-file", str(key)),
        environment={"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
    )
    assert not [found for field in fields for found in too_dear(server, heads(field))]
    assert not too_dear(server, queries())


@pytest.mark.parametrize("options", [[], ["--tls-self-signed"]], ids=["plain", "TLS"])
def test_heads_that_wait_for_a_later_iteration_are_all_answered(serve: Serve, options: list[str]) -> None:
    server = serve(
        *options, command=patched("from wsecho.connections import fair_queues; fair_queues._HEADS_SECONDS = 0")
    )
    health = head("GET /health HTTP/1.1", "Host: a")
    echo = server_frame(TEXT, b"a") + server_close(1000, "")
    clients = [RawConnection(server.port, tls=server.client_tls) for _ in range(20)]
    for client in clients:
        client.send(health * 3 + health[:20])
    for client in clients:
        client.send(health[20:] + HANDSHAKE + client_frame(TEXT, b"a") + client_frame(CLOSE, b"\x03\xe8"))
    for client in clients:
        with client:
            answers = client.receive_all()
            assert answers.count(b"HTTP/1.1 200 OK") == 4
            assert answers.endswith(SWITCHED + echo)
