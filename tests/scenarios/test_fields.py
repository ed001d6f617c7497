"""Fields and cookies that the URL adds to the answer, and those that it cannot."""

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import head, request
from tests.scenarios.test_grammar import error_of, plan_of
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import SWITCHED, RawConnection, exchange
from tests.shared.server import RunningServer


def answer_to(server: RunningServer, url: str) -> str:
    """Return the head of a 101 response, without the fields by which a scenario describes itself."""
    with RawConnection(server.port) as connection:
        connection.send(request(url))
        answer = head(connection)
        connection.send(client_frame(TEXT, b"a"))
        assert connection.receive(3) == server_frame(TEXT, b"a")
    before, _, rest = answer.partition("Wsecho-Scenario: ")
    assert rest.endswith("\r\n\r\n")
    return before


def test_a_field_is_added_to_the_response(shared_server: RunningServer) -> None:
    answer = answer_to(shared_server, "/ws/header/X-One/a%20b/header/Server/other")
    assert answer == f"{SWITCHED.decode()[:-2]}X-One: a b\r\nServer: other\r\n"


def test_a_field_is_added_to_a_refusal(shared_server: RunningServer) -> None:
    answer = exchange(shared_server, request("/ws/header/X-Reason/quota/set-cookie/a/b/reject/429"))
    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b"\r\nX-Reason: quota\r\n" in answer
    assert b"\r\nSet-Cookie: a=b; Path=/ws/header/X-Reason/quota/set-cookie/a/b/reject/429; Max-Age=60\r\n" in answer


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("/ws/set-cookie/a/b", "a=b; Path=/ws/set-cookie/a/b; Max-Age=60"),
        ("/ws/set-cookie/a/b%20c%22%2C", 'a=b c",; Path=/ws/set-cookie/a/b%20c%22%2C; Max-Age=60'),
        # A path in an attribute ends at a semicolon, so that none can add an attribute.
        ("/ws/set-cookie/a/b/message/x;Domain=example.com", "a=b; Path=/ws/set-cookie/a/b/message; Max-Age=60"),
    ],
)
def test_a_cookie_is_set_for_the_path_of_the_scenario(shared_server: RunningServer, url: str, field: str) -> None:
    with RawConnection(shared_server.port) as connection:
        connection.send(request(url))
        assert f"\r\nSet-Cookie: {field}\r\n" in head(connection)


@pytest.mark.parametrize(
    "name",
    [
        *("Set-Cookie", "set-cookie2", "Strict-Transport-Security", "Alt-Svc", "Clear-Site-Data", "Location", "NEL"),
        *("Report-To", "Reporting-Endpoints", "Link", "Refresh", "Upgrade", "connection", "Sec-WebSocket-Accept"),
        *(
            "SEC-WebSocket-Protocol",
            "Content-Length",
            "Transfer-Encoding",
            "Wsecho-Seed",
            "Access-Control-Allow-Origin",
        ),
        *("WWW-Authenticate", "Proxy-Authenticate", "X-Accel-Redirect", "Cache-Control", "Accept-CH", "Date"),
    ],
)
def test_fields_of_the_handshake_or_with_an_effect_outside_are_refused(name: str) -> None:
    assert f"the field '{name}' is not set by 'header'" in error_of(f"/ws/header/{name}/a")


@pytest.mark.parametrize(
    "url",
    [
        *("/ws/header/X%20Y/a", "/ws/header/X:/a", "/ws/header/X-%C3%A9/a", "/ws/header/X/a%0D%0AY:%20b"),
        *("/ws/header/X/%C3%A9", "/ws/header/X/%20a", "/ws/header/X/a%20", "/ws/header/X%0A/a", "/ws/header/X/a%00"),
        *("/ws/set-cookie/a/b%3BDomain=example.com", "/ws/set-cookie/a=/b", "/ws/set-cookie/a%3B/b"),
        *("/ws/set-cookie/a/b%0D%0AX:c", "/ws/set-cookie/a/%20", "/ws/set-cookie/a/b%0A"),
    ],
)
def test_nothing_gets_out_of_a_field(url: str) -> None:
    assert "is not" in error_of(url)


def test_ordinary_fields_are_allowed() -> None:
    for name in ("X-Anything", "Server", "Retry-After", "Warning", "Via", "Deprecation"):
        plan_of(f"/ws/header/{name}/a")


def test_a_public_server_sets_no_cookies(serve: Serve) -> None:
    server = serve("--public")
    answer = exchange(server, request("/ws/set-cookie/a/b"))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"a public server sets no cookies" in answer
    assert b"Set-Cookie" not in answer
