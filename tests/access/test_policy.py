"""The gate by itself: where credentials are looked for, what opens it, and what is shown of a request afterwards."""

import base64
import hmac
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared.routes import made, make_routes
from tests.websocket.test_handshake import request_with
from wsecho.access import policy
from wsecho.access.origins import Origins, may_be_rebound
from wsecho.access.policy import PENDING, AccessPolicy, Authentication, Secrets, Verdict
from wsecho.http import credentials
from wsecho.http.credentials import BASIC, BEARER, Credential, carries_token, digest, is_token, redacted
from wsecho.http.origin import parse_origin
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.websocket.handshake import _TOKEN
from wsecho.websocket.upgrade import Upgrade

TOKEN = "open-Sesame_0.1~+/=="
USER = "aladdin:open sesame"
PREFIX = "base64url.bearer.authorization.k8s.io."


def subprotocol(token: str) -> str:
    return PREFIX + base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


def request(query: str = "", **headers: str | list[str] | None) -> Request:
    return replace(request_with(**headers), target=f"/?{query}", query=query)


def make_gate(*, origins: tuple[str, ...] = (), metrics: str = "") -> AccessPolicy:
    """Return one that opens to TOKEN and USER, and to `metrics` only for the metrics."""
    clients = Authentication({
        BEARER: [Secrets([digest(b"another"), digest(TOKEN.encode()), digest(b"one-more")])],
        BASIC: [Secrets([digest(USER.encode())])],
    })  # fmt: skip
    door = Authentication({BEARER: [Secrets([digest(metrics.encode())])]}) if metrics else None
    return AccessPolicy(Origins(origins, guarded=True), clients, door or clients, door)


def refused(request: Request) -> Response:
    refusal = make_gate().refuse_handshake(request)
    assert refusal
    assert refusal.close
    return refusal


def status(request: Request) -> int:
    """Return what a handshake is answered with; 101 stands for none."""
    refusal = make_gate().refuse_handshake(request)
    return refusal.status if refusal else 101


# Every way in


@pytest.mark.parametrize(
    "good",
    [
        request(Authorization=f"Bearer {TOKEN}"),
        request(Authorization=f"bEaReR   {TOKEN}"),
        request("access_token=open-Sesame_0.1~%2B/=="),
        request("a=b&access%5Ftoken=open-Sesame_0.1~%2b%2F%3D%3D&c"),
        request(Sec_WebSocket_Protocol=f"chat, {subprotocol(TOKEN)}"),
        request(Sec_WebSocket_Protocol=["chat", subprotocol(TOKEN)]),
        request(Authorization=basic(USER)),
        request(Authorization=basic(USER).replace("Basic", "basic")),
        # The same one twice is one.
        request("access_token=open-Sesame_0.1~%2B/==", Authorization=f"Bearer {TOKEN}"),
    ],
)
def test_accepted(good: Request) -> None:
    assert status(good) == 101


# Every way to be refused


@pytest.mark.parametrize(
    "bad",
    [
        request(Authorization=""),
        request(Authorization="Bearer"),
        request(Authorization="Bearer "),
        request(Authorization=TOKEN),
        request(Authorization=f"Bearer {TOKEN}="),
        request(Authorization=f"Bearer {TOKEN[:-1]}"),
        request(Authorization=f"Bearer x{TOKEN}"),
        request(Authorization=f"Bearer {TOKEN.lower()}"),
        request(Authorization=f"Bearer {TOKEN}, {TOKEN}"),
        request(Authorization=f'Bearer "{TOKEN}"'),
        request(Authorization=f"Bearer {USER}"),
        request(Authorization=f"Digest {TOKEN}"),
        request(Authorization=f"Basic {TOKEN}"),
        request(Authorization=f"Basic {USER}"),
        request(Authorization=basic(TOKEN)),
        request(Authorization=basic("aladdin:open sesam")),
        request(Authorization=basic("Aladdin:open sesame")),
        request(Authorization=basic("aladdin:")),
        request(Authorization=basic("jafar:open sesame")),
        request(Authorization="Bearer \xe9"),
        request(f"access_token={TOKEN}"),  # a plus in a query is a space
        request("access_token"),
        request("access_token="),
        request("access_token=%"),
        request("access_token=\xe9%ff"),
        request(Sec_WebSocket_Protocol=f"chat, {PREFIX}"),
        request(Sec_WebSocket_Protocol=f"chat, {PREFIX}!"),
        request(Sec_WebSocket_Protocol=f"chat, {PREFIX}A"),
        request(Sec_WebSocket_Protocol=f"chat, {PREFIX}{TOKEN[:4]}"),
        request(Sec_WebSocket_Protocol=f"chat, {subprotocol(USER)}"),
    ],
)
def test_wrong_credentials(bad: Request) -> None:
    refusal = refused(bad)
    assert (refusal.status, refusal.refusal) == (401, "credentials")
    assert refusal.headers[2:] == (
        (
            "WWW-Authenticate",
            'Bearer realm="wsecho", error="invalid_token", error_description="these credentials are not accepted"',
        ),
        ("WWW-Authenticate", 'Basic realm="wsecho", charset="UTF-8"'),
    )


@pytest.mark.parametrize(
    "bare",
    [
        request(),
        request(f"token={TOKEN}&Access_Token={TOKEN}&x=access_token"),
        request(Sec_WebSocket_Protocol=f"bearer, {PREFIX.upper()}{TOKEN[:4]}"),
        request(Cookie=f"access_token={TOKEN}", Proxy_Authorization=f"Bearer {TOKEN}"),
    ],
)
def test_no_credentials_are_an_error_of_no_kind(bare: Request) -> None:
    refusal = refused(bare)
    assert refusal.status == 401
    assert ("WWW-Authenticate", 'Bearer realm="wsecho"') in refusal.headers


@pytest.mark.parametrize(
    "two",
    [
        request("access_token=other", Authorization=f"Bearer {TOKEN}"),
        request("access_token=other", Sec_WebSocket_Protocol=f"chat, {subprotocol(TOKEN)}"),
        request(Authorization=[f"Bearer {TOKEN}", basic(USER)]),
        request(Authorization=[f"Bearer {TOKEN}", f"Bearer {TOKEN}x"]),
        request("access_token=a&access_token=b"),
        request(Sec_WebSocket_Protocol=f"{subprotocol('a')}, {subprotocol('b')}"),
    ],
)
def test_two_credentials_are_one_too_many(two: Request) -> None:
    assert refused(two).status == 400


def test_only_what_is_configured_is_asked_for() -> None:
    only_basic = AccessPolicy(Origins((), guarded=True), Authentication({BASIC: [Secrets([digest(USER.encode())])]}))
    refusal = only_basic.refuse_handshake(request(Authorization=f"Bearer {TOKEN}"))
    assert refusal
    assert [value[:5] for name, value in refusal.headers if name == "WWW-Authenticate"] == ["Basic"]


def test_a_gate_without_credentials_looks_at_none() -> None:
    assert policy.OPEN.refuse_handshake(request("access_token=a", Authorization="Bearer b", Origin="https://c")) is None


def test_a_key_that_is_being_looked_up_is_worth_another_try() -> None:
    class Looking:
        def verify(self, value: bytes) -> Verdict:
            return PENDING

    refusal = Authentication({BEARER: [Looking()]}).check(request(Authorization="Bearer x"))
    assert refusal
    assert (refusal.status, refusal.label, refusal.headers) == (503, "keys", (("Retry-After", "1"),))
    # Whoever knows the token does not wait for those who do not.
    assert (
        Authentication({BEARER: [Secrets([digest(b"x")]), Looking()]}).check(request(Authorization="Bearer x")) is None
    )


# Nothing opens it by accident

latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=200)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Authorization": st.lists(latin | st.builds("Bearer {}".format, latin) | st.builds("Basic {}".format, latin)),
        "Sec_WebSocket_Protocol": st.lists(latin | st.builds((PREFIX + "{}").format, latin)),
    },
)
queries = latin | st.builds("access_token={}".format, latin) | st.builds("x&access%5ftoken={}&{}".format, latin, latin)


@given(queries, headers)
def test_no_request_is_too_strange(query: str, fields: dict[str, list[str]]) -> None:
    assert status(request(query, **fields)) in (400, 401)
    redacted(request(query, **fields))


@given(st.binary(max_size=100))
def test_nothing_but_the_secret_is_the_secret(value: bytes) -> None:
    known = Secrets([digest(TOKEN.encode())])
    assert known.verify(value).accepted == (value == TOKEN.encode())


@given(st.from_regex(r"[A-Za-z0-9\-._~+/]+=*", fullmatch=True))
def test_a_token_can_be_sent_in_each_of_the_three_ways(token: str) -> None:
    assert is_token(token)
    name = subprotocol(token)
    assert _TOKEN.fullmatch(name)
    ways = [
        request(Authorization=f"Bearer {token}"),
        request("access_token=" + token.replace("+", "%2B")),
        request(Sec_WebSocket_Protocol=f"chat, {name}"),
    ]
    assert [credentials.offered(way) for way in ways] == [[Credential(BEARER, token.encode())]] * 3


@pytest.mark.parametrize("text", ["", "a b", "a,b", "=", "a=b", "\xe9", "a\n"])
def test_what_could_not_be_sent_is_no_token(text: str) -> None:
    assert not is_token(text)


def test_the_work_does_not_depend_on_the_likeness_nor_on_which_secret_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def compare(known: bytes, given: bytes) -> bool:
        compared.append((len(known), len(given)))
        return real(known, given)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    known = Secrets([digest(b"first"), digest(b"second"), digest(b"third")])
    for value in (b"first", b"second", b"third", b"firs", b"", b"x" * 10_000):
        known.verify(value)
        assert compared == [(32, 32)] * 3
        compared.clear()


def test_every_wrong_token_gets_the_same_answer() -> None:
    wrong = [TOKEN[:-1], TOKEN[1:], TOKEN.upper(), "x", "x" * 5000, ""]
    answers = {refused(request(Authorization=f"Bearer {token}")) for token in wrong}
    assert len(answers) == 1


# Origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("*", "*"),
        ("https://example.com", "https://example.com"),
        ("HTTPS://Example.COM:443", "https://example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("https://example.com:0443", "https://example.com"),
        ("https://192.0.2.1:8443", "https://192.0.2.1:8443"),
        ("http://[0:0::0001]:3000", "http://[::1]:3000"),
        ("http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://faß。example:8443", "https://xn--fa-hia.example:8443"),
        ("https://☃.example", "https://xn--n3h.example"),
        ("https://\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com", "https://example.com"),
        ("http://\uff11\uff12\uff17.0.0.1", "http://127.0.0.1"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("null", "null"),
        ("file://", "file://"),
    ],
)
def test_origins(text: str, origin: str) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "example.com",
            "https://",
            "https://example.com/",
            "https://a b",
            "https://*.a",
            "https://u@a",
            "file:///",
        ),
        *("https://a:65536", "https://a%41", "https://a:1:2", "https://[::1", "null://", "https://a\\b", "https://a<b"),
    ],
)
def test_what_is_no_origin(text: str) -> None:
    with pytest.raises(ValueError, match="neither an origin"):
        parse_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        *("http://127.1", "http://0x7f000001", "http://127.0.0.256", "http://example.1", "http://[::1::]"),
        *("app://bücher", "https://a\ufffdb", "https://a\uff1ab"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no origin that a browser sends: ."):
        parse_origin(text)


@pytest.mark.parametrize(
    ("allowed", "guarded", "origin", "verdict"),
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
        # Whoever makes the list has the last word: a name of the attacker's may lead here.
        (("https://good.example",), False, "http://here", False),
        (("https://good.example",), True, ["https://good.example", "https://evil.example"], False),
        (("*",), True, "https://evil.example", True),
        (("*",), True, "null", True),
    ],
)
def test_who_may_come_from_where(
    allowed: tuple[str, ...], guarded: bool, origin: str | list[str] | None, verdict: bool
) -> None:
    assert (not Origins(allowed, guarded=guarded).refusal(request(Origin=origin))) is verdict


@pytest.mark.parametrize(
    ("origin", "host", "verdict"),
    [
        # Default ports, as nginx writes them with $host:$server_port, also behind another proxy that ends TLS.
        ("https://example.com", "example.com:443", True),
        ("http://example.com", "example.com:80", True),
        ("https://example.com", "example.com:80", True),
        ("https://example.com", "example.com:", True),
        ("https://example.com:80", "example.com:80", True),
        ("https://example.com:80", "example.com", False),
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
    assert (not Origins((), guarded=True).refusal(request(Host=host, Origin=origin))) is verdict


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
    named = Origins((parse_origin(origin), "https://good.example"), guarded=True)
    assert not named.refusal(request(Origin=origin))
    assert not named.refusal(request(Origin="https://good.example"))
    assert named.refusal(request(Origin="https://evil.example"))
    assert Origins(("https://good.example",), guarded=True).refusal(request(Origin=origin))


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
    assert Origins(allowed, guarded=True).refusal(request(**fields)) == f"pages of this origin may not connect: {line}"


def test_a_page_of_a_wrong_origin_does_not_learn_whether_its_token_is_good() -> None:
    for token in (TOKEN, "wrong"):
        refusal = refused(request(Authorization=f"Bearer {token}", Origin="https://evil.example"))
        assert (refusal.status, refusal.refusal) == (403, "origin")


# Doors


def page(path: str, **headers: str) -> Request:
    fields = {"Host": "here"} | headers
    return Request("GET", path, path, "", "1.1", tuple(fields.items()), keep_alive=True, has_body=False)


OPEN_PAGES = [
    *("/", "/static/client.js", "/static/client.css"),
    *("/health", "/healthz", "/livez", "/ready", "/readyz"),
]


def test_every_page_but_a_few_wants_credentials() -> None:
    routes = make_routes(make_gate())
    for path in routes.public._pages._pages:
        bare, good = (
            made(routes.public.answer(page(path))),
            made(routes.public.answer(page(path, Authorization=f"Bearer {TOKEN}"))),
        )
        assert isinstance(bare, Response)
        assert isinstance(good, Response)
        name = path.rstrip("/") or "/"
        if name in ("/metrics", "/info"):
            assert (bare.status, good.status) == (401, 200)
        elif name in OPEN_PAGES:
            assert bare.status == 200
        else:
            assert bare.status == 426


def test_a_token_of_the_metrics_opens_nothing_else_and_nothing_else_opens_them() -> None:
    routes = make_routes(make_gate(metrics="counting"))
    answers = {
        (path, token): made(routes.public.answer(page(path, Authorization=f"Bearer {token}")))
        for path in ("/metrics", "/info")
        for token in (TOKEN, "counting")
    }
    assert {key: answer.status for key, answer in answers.items() if isinstance(answer, Response)} == {
        ("/metrics", TOKEN): 401,
        ("/metrics", "counting"): 200,
        ("/info", TOKEN): 200,
        ("/info", "counting"): 401,
    }
    handshake = routes.public.answer(request(Authorization="Bearer counting"))
    assert isinstance(handshake, Response)
    assert handshake.status == 401


def test_a_handshake_is_refused_for_its_credentials_before_anything_else_is_said_of_it() -> None:
    routes = make_routes(make_gate())
    for broken in (request(Sec_WebSocket_Version="8"), request(Sec_WebSocket_Key="x"), request(Connection="close")):
        answer = routes.public.answer(broken)
        assert isinstance(answer, Response)
        assert answer.status == 401
    assert isinstance(routes.public.answer(request(Authorization=f"Bearer {TOKEN}")), Upgrade)


def test_the_admin_port_serves_no_websocket_and_no_page() -> None:
    routes = make_routes(make_gate(), has_admin_port=True)
    assert made(routes.admin.answer(request())).status == 404
    assert made(routes.admin.answer(request())).close
    statuses = {
        path: made(routes.admin.answer(page(path))).status for path in ("/", "/ws", "/metrics", "/info", "/health")
    }
    assert statuses == {"/": 404, "/ws": 404, "/metrics": 200, "/info": 200, "/health": 200}
    public = routes.public.answer(page("/metrics", Authorization=f"Bearer {TOKEN}"))
    assert isinstance(public, Response)
    assert public.status == 404


def test_the_metrics_of_the_admin_port_want_their_token_if_there_is_one() -> None:
    routes = make_routes(make_gate(metrics="counting"), has_admin_port=True)
    assert made(routes.admin.answer(page("/metrics"))).status == 401
    assert made(routes.admin.answer(page("/metrics", Authorization=f"Bearer {TOKEN}"))).status == 401
    assert made(routes.admin.answer(page("/metrics", Authorization="Bearer counting"))).status == 200


# What is shown of a request


def test_a_request_is_shown_without_its_credentials() -> None:
    seen = redacted(
        replace(
            request(
                f"a=1&access%5Ftoken={TOKEN}&b=2",
                Authorization=basic(USER),
                Proxy_Authorization=f"Bearer {TOKEN}",
                Sec_WebSocket_Protocol=f"chat, {subprotocol(TOKEN)} ,x",
                X_Original_URI=f"/a?access_token={TOKEN}&b",
                X_Plain="a=1&b=2",
            ),
            target=f"/?a=1&access%5Ftoken={TOKEN}&b=2",
        )
    )
    assert seen.target == "/?a=1&access%5Ftoken=[redacted]&b=2"
    assert seen.query == "a=1&access%5Ftoken=[redacted]&b=2"
    assert seen.value("authorization") == seen.value("proxy-authorization") == "[redacted]"
    assert seen.value("sec-websocket-protocol") == f"chat, {PREFIX}[redacted],x"
    assert seen.value("x-original-uri") == "/a?access_token=[redacted]&b"
    assert seen.value("x-plain") == "a=1&b=2"
    assert seen.value("host") == "here"


def test_info_shows_no_credentials() -> None:
    for good in (f"Bearer {TOKEN}", basic(USER)):
        answer = make_routes(make_gate()).public.answer(page("/info", Authorization=good))
        assert isinstance(answer, Response)
        assert ["Authorization", "[redacted]"] in json.loads(answer.body)["headers"]


def test_a_name_that_carries_a_token_is_known_by_its_beginning() -> None:
    assert carries_token(subprotocol("x"))
    assert not carries_token("x." + subprotocol("x"))
