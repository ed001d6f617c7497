"""Pages by path: unknown paths, other methods, HEAD, and a slash at the end of a path."""

import re

import pytest

from tests.shared.raw import exchange
from tests.shared.routes import Ports, get, made, make_routes, status_of
from tests.shared.server import RunningServer
from wsecho.http.response import Response
from wsecho.routes.pages import WEBSOCKET_PATHS


@pytest.mark.parametrize(
    "path", ["/nowhere", "/static/", "/static/../wsecho.py", "/static/%2e%2e/wsecho.py", "/metricsx"]
)
def test_other_paths_are_not_found(server: RunningServer, path: str) -> None:
    assert server.get(path)[0] == 404


@pytest.mark.parametrize("path", ["/", "/metrics", "/health", "/info"])
def test_head_is_get_without_its_body(server: RunningServer, path: str) -> None:
    request = f"HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    head, _, body = exchange(server, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 0" not in head
    assert body == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_not_allowed(server: RunningServer, method: str) -> None:
    answer = exchange(server, f"{method} /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"\r\nAllow: GET, HEAD\r\n" in answer


@pytest.mark.parametrize("has_admin_port", [False, True])
def test_404_says_what_there_is_and_it_is_there(*, has_admin_port: bool) -> None:
    routes = make_routes(has_admin_port=has_admin_port)
    for answer in (routes.public.answer, routes.admin.answer):
        nothing = made(answer(get("/nowhere")))
        assert isinstance(nothing, Response)
        assert nothing.status == 404
        named = re.findall(r"(?<![/:])(/\w*)(?=[, ]|$)", nothing.line)
        assert {"/health", "/ready", "/info"} <= {*named}
        assert ("/metrics" in named) is (answer == routes.admin.answer or not has_admin_port)
        assert ("ws://" in nothing.line) is (answer == routes.public.answer)
        for path in named:
            page = made(answer(get(path)))
            assert isinstance(page, Response)
            assert page.status == 200


def test_a_slash_at_the_end_changes_neither_the_answer_nor_its_route(routes: Ports) -> None:
    paths = ("/metrics", "/info", "/health", "/healthz", "/livez", "/ready", "/readyz", *WEBSOCKET_PATHS)
    for answer in (routes.public.answer, routes.admin.answer):
        for path in paths:
            without, with_slash = made(answer(get(path))), made(answer(get(f"{path}/")))
            assert isinstance(without, Response)
            assert isinstance(with_slash, Response)
            assert with_slash.status == without.status
            assert (
                routes.public.route_of(get(f"{path}/"), with_slash) == routes.public.route_of(get(path), without) != ""
            )
    for path in ("/metrics//", "/static/page.css/", "//"):
        assert status_of(routes, get(path)) == 404
