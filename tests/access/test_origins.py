"""Which web pages may connect, by their origin and by the Host of the request."""

import pytest

from tests.shared.requests import request_with
from wsecho.access.origins import Origins, may_be_rebound
from wsecho.http.origin import parse_origin


@pytest.mark.parametrize(
    ("allowed", "needs_credentials", "origin", "verdict"),
    [
        ((), False, None, True),
        ((), False, "https://evil.example", True),
        ((), True, None, True),
        ((), True, "http://here", True),
        ((), True, "https://here", True),
        ((), True, "http://here:81", False),
        ((), True, "http://HERE", True),
        ((), True, "http://here:80", True),
        ((), True, "http://here:443", False),
        ((), True, "://here", False),
        ((), True, "ftp://here", False),
        ((), True, "chrome-extension://here", False),
        ((), True, "http://here/", False),
        ((), True, "http://here.evil.example", False),
        ((), True, "https://evil.example", False),
        ((), True, "null", False),
        ((), True, "", False),
        ((), True, ["http://here", "http://here"], False),
        (("https://good.example",), True, None, True),
        (("https://good.example",), False, "https://good.example", True),
        (("https://good.example",), False, "http://good.example", False),
        (("https://good.example",), False, "https://good.example:444", False),
        (("https://good.example",), False, "https://good.example.evil", False),
        (("https://good.example",), False, "https://sub.good.example", False),
        # The list decides alone. An attacker's domain name can resolve to this server, so its own host is not accepted.
        (("https://good.example",), False, "http://here", False),
        (("https://good.example",), True, ["https://good.example", "https://evil.example"], False),
        (("*",), True, "https://evil.example", True),
        (("*",), True, "null", True),
    ],
)
def test_who_may_come_from_where(
    allowed: tuple[str, ...], needs_credentials: bool, origin: str | list[str] | None, verdict: bool
) -> None:
    assert (not Origins(allowed, needs_credentials=needs_credentials).refusal(request_with(Origin=origin))) is verdict


@pytest.mark.parametrize(
    ("origin", "host", "verdict"),
    [
        # Default ports, as nginx writes them with $host:$server_port, even behind another proxy that terminates TLS.
        ("https://example.com", "example.com:443", True),
        ("http://example.com", "example.com:80", True),
        ("https://example.com", "example.com:80", True),
        ("https://example.com", "example.com:", True),
        ("https://example.com:80", "example.com:80", True),
        ("https://example.com:80", "example.com", False),
        ("https://example.com:0", "example.com:443", False),
        ("https://example.com:8443", "example.com:443", False),
        ("https://example.com", "example.com:8443", False),
        ("https://example.com:8443", "EXAMPLE.com:8443", True),
        ("https://example.com", "example.com.", True),
        ("https://example.com.", "example.com:443", True),
        ("https://example.com", "example.com..", False),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://[::1]:8080", "[0:0:0:0:0:0:0:1]:8080", True),
        ("http://[::1]:8080", "[::2]:8080", False),
        ("http://[::ffff:7f00:1]", "[::ffff:127.0.0.1]", True),
        ("http://[::1::]", "[::1::]", True),
        ("http://xn--bcher-kva.example", "xn--bcher-kva.example", True),
        ("https://example.com", "evil.example,example.com", False),
        ("https://example.com", "example.com:443:443", False),
        ("https://example.com", "", False),
        ("http://", None, False),
    ],
)
def test_a_page_is_ours_however_a_proxy_writes_our_host(origin: str, host: str | None, verdict: bool) -> None:
    assert (not Origins((), needs_credentials=True).refusal(request_with(Host=host, Origin=origin))) is verdict


@pytest.mark.parametrize(
    ("authority", "verdict"),
    [
        *((host, False) for host in ("", "127.0.0.1", "127.0.0.1:9000", "[::1]:9000", "10.0.0.7:80", "localhost")),
        *((host, False) for host in ("LOCALHOST:9000", "localhost.", "a.localhost:1")),
        *((host, True) for host in ("evil.example", "evil.example:9000", "localhost.evil.example", "notlocalhost")),
        *((host, True) for host in ("127.0.0.1.evil.example", "127.0.0.1:1:2", "[::1", "127.1", ":9000")),
    ],
)
def test_a_name_that_somebody_may_own_can_be_rebound(authority: str, verdict: bool) -> None:
    assert may_be_rebound(authority) is verdict


@pytest.mark.parametrize("origin", ["null", "file://"])
def test_pages_without_an_origin_come_in_by_name_alone(origin: str) -> None:
    named = Origins((parse_origin(origin), "https://good.example"), needs_credentials=True)
    assert not named.refusal(request_with(Origin=origin))
    assert not named.refusal(request_with(Origin="https://good.example"))
    assert named.refusal(request_with(Origin="https://evil.example"))
    assert Origins(("https://good.example",), needs_credentials=True).refusal(request_with(Origin=origin))


@pytest.mark.parametrize(
    ("allowed", "fields", "line"),
    [
        (
            (),
            {"Origin": "https://public.example", "Host": "127.0.0.1:8080"},
            "Origin is https://public.example, Host is 127.0.0.1:8080: let the proxy keep Host, or use --allow-origin",
        ),
        (("https://a",), {"Origin": "https://b"}, "--allow-origin lacks https://b"),
        (("https://a",), {"Origin": ["https://a", "https://a"]}, "Origin is given more than once"),
        (("https://a",), {"Origin": "x" * 101}, f"--allow-origin lacks '{'x' * 100}'"),
        (("https://a",), {"Origin": "\xe9\t"}, r"--allow-origin lacks '\xe9\t'"),
    ],
)
def test_the_403_names_what_did_not_match(allowed: tuple[str, ...], fields: dict[str, str], line: str) -> None:
    assert (
        Origins(allowed, needs_credentials=True).refusal(request_with(**fields))
        == f"pages of this origin may not connect: {line}"
    )
