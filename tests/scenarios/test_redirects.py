"""Redirects, which never leave the host."""

import pytest

from tests.scenarios.scenes import request
from tests.scenarios.test_grammar import error_of
from tests.shared.raw import RawConnection, exchange
from tests.shared.server import RunningServer


def location(server: RunningServer, url: str, host: str = "here:8080") -> str:
    """Return the Location of a redirect, or the status line of another answer."""
    with RawConnection(server.port, tls=server.client_tls) as connection:
        connection.send(request(url).replace(b"Host: here", f"Host: {host}".encode()))
        head = connection.receive_all().partition(b"\r\n\r\n")[0].decode()
    line, *fields = head.split("\r\n")
    values = [field.removeprefix("Location: ") for field in fields if field.startswith("Location: ")]
    return values[0] if values else line


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_has_a_location(server: RunningServer, status: int) -> None:
    answer = exchange(server, request(f"/ws/redirect/{status}?to=/ws/echo"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nLocation: /ws/echo\r\n" in head
    assert b"\r\nCache-Control: no-store\r\n" in head
    assert body == b"a scenario redirects to /ws/echo\n"


@pytest.mark.parametrize(
    ("form", "plain", "encrypted"),
    [
        ("relative", "/ws/close?reason=a", "/ws/close?reason=a"),
        ("absolute", "http://here:8080/ws/close?reason=a", "https://here:8080/ws/close?reason=a"),
        ("ws", "ws://here:8080/ws/close?reason=a", "wss://here:8080/ws/close?reason=a"),
        ("downgrade", "ws://here:8080/ws/close?reason=a", "ws://here:8080/ws/close?reason=a"),
    ],
)
def test_forms_of_the_location(
    server: RunningServer, tls_server: RunningServer, form: str, plain: str, encrypted: str
) -> None:
    url = f"/ws/redirect/302?to=/ws/close%3Freason=a&form={form}"
    assert location(server, url) == plain
    assert location(tls_server, url) == encrypted


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:8080", "a-b.example"])
def test_the_host_is_the_one_that_the_client_named(server: RunningServer, host: str) -> None:
    assert location(server, "/ws/redirect/302?form=absolute", host) == f"http://{host}/ws/"


@pytest.mark.parametrize("host", ["", "me@elsewhere", "elsewhere/", "a b", "a:b", "elsewhere?", "elsewhere#", "[x"])
def test_a_host_that_is_none_gets_no_redirect(server: RunningServer, host: str) -> None:
    for form in ("absolute", "ws", "downgrade"):
        assert location(server, f"/ws/redirect/302?form={form}", host).startswith("HTTP/1.1 400 ")


def test_a_loop_counts_an_option_that_is_percent_encoded(server: RunningServer) -> None:
    assert location(server, "/ws/redirect/302?h%6Fps=2&form=loop") == "/ws/redirect/302?form=loop&hops=1"


def test_a_loop_ends_by_the_servers_count(server: RunningServer) -> None:
    url = "/ws/redirect/307?token=a&form=loop"
    hops = []
    for _ in range(60):
        following = location(server, url)
        if following.startswith("HTTP/"):
            assert following.startswith("HTTP/1.1 508 ")
            break
        hops.append(following)
        url = following
    assert hops == [f"/ws/redirect/307?token=a&form=loop&hops={number}" for number in range(49, -1, -1)]


@pytest.mark.parametrize(
    "to",
    [
        *("//elsewhere/", "https://elsewhere/", "elsewhere/", "/%5C/elsewhere/%0D%0A", "/.//elsewhere/", "/a//b"),
        *("/\\elsewhere/", "/a%20b", "/%C3%A9", "/a%23b", '/"', "/%250A%0A", "%2F%2Felsewhere", ""),
    ],
)
def test_a_redirect_leads_to_a_path_of_this_host(to: str) -> None:
    assert "is not a path of this server" in error_of(f"/ws/redirect/302?to={to}")


def test_a_loop_has_no_other_target() -> None:
    assert "'to' has no effect" in error_of("/ws/redirect/302?form=loop&to=/ws/close")
    assert "is not a whole number from 0 to 100" in error_of("/ws/redirect/302?form=loop&hops=101")
