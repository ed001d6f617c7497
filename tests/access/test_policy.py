"""The access policy: where it looks for credentials, which it accepts, and which pages it protects.

Modules: `policy`.
"""

import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.shared.credentials import SUBPROTOCOL, basic, subprotocol
from tests.shared.requests import request_with
from tests.shared.routes import made, make_routes
from wsecho.access import policy
from wsecho.access.origins import Origins
from wsecho.access.policy import PENDING, AccessPolicy, Authentication, Secrets, Verdict
from wsecho.http.credentials import BASIC, BEARER, digest, redacted
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.websocket.upgrade import Upgrade

TOKEN = "open-Sesame_0.1~+/=="
USER = "aladdin:open sesame"


def make_policy(*, origins: tuple[str, ...] = (), metrics: str = "") -> AccessPolicy:
    """Return a policy that accepts TOKEN and USER. If `metrics` is given, only that token opens the metrics."""
    clients = Authentication({
        BEARER: [Secrets([digest(b"another"), digest(TOKEN.encode()), digest(b"one-more")])],
        BASIC: [Secrets([digest(USER.encode())])],
    })  # fmt: skip
    for_metrics = Authentication({BEARER: [Secrets([digest(metrics.encode())])]}) if metrics else None
    return AccessPolicy(Origins(origins, needs_credentials=True), clients, for_metrics or clients, for_metrics)


def refused(request: Request) -> Response:
    refusal = make_policy().refuse_handshake(request)
    assert refusal
    assert refusal.close
    return refusal


def status(request: Request) -> int:
    """Return the status of the refusal of a handshake, or 101 if it is accepted."""
    refusal = make_policy().refuse_handshake(request)
    return refusal.status if refusal else 101


# Accepted credentials


@pytest.mark.parametrize(
    "good",
    [
        request_with(Authorization=f"Bearer {TOKEN}"),
        request_with(Authorization=f"bEaReR   {TOKEN}"),
        request_with("access_token=open-Sesame_0.1~%2B/=="),
        request_with("a=b&access%5Ftoken=open-Sesame_0.1~%2b%2F%3D%3D&c"),
        request_with(Sec_WebSocket_Protocol=f"chat, {subprotocol(TOKEN)}"),
        request_with(Sec_WebSocket_Protocol=["chat", subprotocol(TOKEN)]),
        request_with(Authorization=basic(USER)),
        request_with(Authorization=basic(USER).replace("Basic", "basic")),
        # The same token twice counts as one credential.
        request_with("access_token=open-Sesame_0.1~%2B/==", Authorization=f"Bearer {TOKEN}"),
    ],
)
def test_accepted(good: Request) -> None:
    assert status(good) == 101


# Refused requests


@pytest.mark.parametrize(
    "bad",
    [
        request_with(Authorization=""),
        request_with(Authorization="Bearer"),
        request_with(Authorization="Bearer "),
        request_with(Authorization=TOKEN),
        request_with(Authorization=f"Bearer {TOKEN}="),
        request_with(Authorization=f"Bearer {TOKEN[:-1]}"),
        request_with(Authorization=f"Bearer x{TOKEN}"),
        request_with(Authorization=f"Bearer {TOKEN.lower()}"),
        request_with(Authorization=f"Bearer {TOKEN}, {TOKEN}"),
        request_with(Authorization=f'Bearer "{TOKEN}"'),
        request_with(Authorization=f"Bearer {USER}"),
        request_with(Authorization=f"Digest {TOKEN}"),
        request_with(Authorization=f"Basic {TOKEN}"),
        request_with(Authorization=f"Basic {USER}"),
        request_with(Authorization=basic(TOKEN)),
        request_with(Authorization=basic("aladdin:open sesam")),
        request_with(Authorization=basic("Aladdin:open sesame")),
        request_with(Authorization=basic("aladdin:")),
        request_with(Authorization=basic("jafar:open sesame")),
        request_with(Authorization="Bearer \xe9"),
        request_with(f"access_token={TOKEN}"),  # a plus in a query is a space
        request_with("access_token"),
        request_with("access_token="),
        request_with("access_token=%"),
        request_with("access_token=\xe9%ff"),
        request_with(Sec_WebSocket_Protocol=f"chat, {SUBPROTOCOL}"),
        request_with(Sec_WebSocket_Protocol=f"chat, {SUBPROTOCOL}!"),
        request_with(Sec_WebSocket_Protocol=f"chat, {SUBPROTOCOL}A"),
        request_with(Sec_WebSocket_Protocol=f"chat, {SUBPROTOCOL}{TOKEN[:4]}"),
        request_with(Sec_WebSocket_Protocol=f"chat, {subprotocol(USER)}"),
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
        request_with(),
        request_with(f"token={TOKEN}&Access_Token={TOKEN}&x=access_token"),
        request_with(Sec_WebSocket_Protocol=f"bearer, {SUBPROTOCOL.upper()}{TOKEN[:4]}"),
        request_with(Cookie=f"access_token={TOKEN}", Proxy_Authorization=f"Bearer {TOKEN}"),
    ],
)
def test_no_credentials_are_an_error_of_no_kind(bare: Request) -> None:
    refusal = refused(bare)
    assert refusal.status == 401
    assert ("WWW-Authenticate", 'Bearer realm="wsecho"') in refusal.headers


@pytest.mark.parametrize(
    "two",
    [
        request_with("access_token=other", Authorization=f"Bearer {TOKEN}"),
        request_with("access_token=other", Sec_WebSocket_Protocol=f"chat, {subprotocol(TOKEN)}"),
        request_with(Authorization=[f"Bearer {TOKEN}", basic(USER)]),
        request_with(Authorization=[f"Bearer {TOKEN}", f"Bearer {TOKEN}x"]),
        request_with("access_token=a&access_token=b"),
        request_with(Sec_WebSocket_Protocol=f"{subprotocol('a')}, {subprotocol('b')}"),
    ],
)
def test_two_credentials_are_one_too_many(two: Request) -> None:
    assert refused(two).status == 400


def test_only_what_is_configured_is_asked_for() -> None:
    only_basic = AccessPolicy(
        Origins((), needs_credentials=True), Authentication({BASIC: [Secrets([digest(USER.encode())])]})
    )
    refusal = only_basic.refuse_handshake(request_with(Authorization=f"Bearer {TOKEN}"))
    assert refusal
    assert [value[:5] for name, value in refusal.headers if name == "WWW-Authenticate"] == ["Basic"]


def test_an_open_policy_ignores_credentials() -> None:
    assert (
        policy.OPEN.refuse_handshake(request_with("access_token=a", Authorization="Bearer b", Origin="https://c"))
        is None
    )


def test_a_key_that_is_being_looked_up_is_worth_another_try() -> None:
    class Looking:
        def verify(self, value: bytes) -> Verdict:
            return PENDING

    refusal = Authentication({BEARER: [Looking()]}).check(request_with(Authorization="Bearer x"))
    assert refusal
    assert (refusal.status, refusal.label, refusal.headers) == (503, "keys", (("Retry-After", "1"),))
    # A client with an accepted token does not wait for the lookup.
    assert (
        Authentication({BEARER: [Secrets([digest(b"x")]), Looking()]}).check(request_with(Authorization="Bearer x"))
        is None
    )


# Arbitrary input

latin = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=200)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Authorization": st.lists(latin | st.builds("Bearer {}".format, latin) | st.builds("Basic {}".format, latin)),
        "Sec_WebSocket_Protocol": st.lists(latin | st.builds((SUBPROTOCOL + "{}").format, latin)),
    },
)
queries = latin | st.builds("access_token={}".format, latin) | st.builds("x&access%5ftoken={}&{}".format, latin, latin)


@given(queries, headers)
def test_no_request_is_too_strange(query: str, fields: dict[str, list[str]]) -> None:
    assert status(request_with(query, **fields)) in (400, 401)
    redacted(request_with(query, **fields))


@given(st.binary(max_size=100))
def test_nothing_but_the_secret_is_the_secret(value: bytes) -> None:
    known = Secrets([digest(TOKEN.encode())])
    assert known.verify(value).accepted == (value == TOKEN.encode())


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
    answers = {refused(request_with(Authorization=f"Bearer {token}")) for token in wrong}
    assert len(answers) == 1


# Origins and credentials


def test_a_page_of_a_wrong_origin_does_not_learn_whether_its_token_is_good() -> None:
    for token in (TOKEN, "wrong"):
        refusal = refused(request_with(Authorization=f"Bearer {token}", Origin="https://evil.example"))
        assert (refusal.status, refusal.refusal) == (403, "origin")


# Which pages need credentials


def page(path: str, **headers: str) -> Request:
    fields = {"Host": "here"} | headers
    return Request("GET", path, path, "", "1.1", tuple(fields.items()), keep_alive=True, has_body=False)


OPEN_PAGES = [
    *("/", "/health", "/healthz", "/livez", "/ready", "/readyz"),
]


def test_every_page_but_a_few_wants_credentials() -> None:
    routes = make_routes(make_policy())
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
        elif name in OPEN_PAGES or name.startswith("/static/"):
            assert bare.status == 200
        else:
            assert bare.status == 426


def test_a_token_of_the_metrics_opens_nothing_else_and_nothing_else_opens_them() -> None:
    routes = make_routes(make_policy(metrics="counting"))
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
    handshake = routes.public.answer(request_with(Authorization="Bearer counting"))
    assert isinstance(handshake, Response)
    assert handshake.status == 401


def test_a_handshake_is_refused_for_its_credentials_before_anything_else_is_said_of_it() -> None:
    routes = make_routes(make_policy())
    for broken in (
        request_with(Sec_WebSocket_Version="8"),
        request_with(Sec_WebSocket_Key="x"),
        request_with(Connection="close"),
    ):
        answer = routes.public.answer(broken)
        assert isinstance(answer, Response)
        assert answer.status == 401
    assert isinstance(routes.public.answer(request_with(Authorization=f"Bearer {TOKEN}")), Upgrade)


def test_the_admin_port_serves_no_websocket_and_no_page() -> None:
    routes = make_routes(make_policy(), has_admin_port=True)
    assert made(routes.admin.answer(request_with())).status == 404
    assert made(routes.admin.answer(request_with())).close
    statuses = {
        path: made(routes.admin.answer(page(path))).status for path in ("/", "/ws", "/metrics", "/info", "/health")
    }
    assert statuses == {"/": 404, "/ws": 404, "/metrics": 200, "/info": 200, "/health": 200}
    public = routes.public.answer(page("/metrics", Authorization=f"Bearer {TOKEN}"))
    assert isinstance(public, Response)
    assert public.status == 404


def test_the_metrics_of_the_admin_port_want_their_token_if_there_is_one() -> None:
    routes = make_routes(make_policy(metrics="counting"), has_admin_port=True)
    assert made(routes.admin.answer(page("/metrics"))).status == 401
    assert made(routes.admin.answer(page("/metrics", Authorization=f"Bearer {TOKEN}"))).status == 401
    assert made(routes.admin.answer(page("/metrics", Authorization="Bearer counting"))).status == 200


# Requests as pages show them


def test_info_shows_no_credentials() -> None:
    for good in (f"Bearer {TOKEN}", basic(USER)):
        answer = make_routes(make_policy()).public.answer(page("/info", Authorization=good))
        assert isinstance(answer, Response)
        assert ["Authorization", "[redacted]"] in json.loads(answer.body)["headers"]
