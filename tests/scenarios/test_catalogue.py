"""The catalogue, and what is made of it. Modules: `catalogue`, `description`, `entrance`, `service`, `setting`."""

import gzip
import json
import re

import pytest

from tests.conftest import Serve
from tests.scenarios.scenes import request, scene
from tests.shared.commands import run
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import SWITCHED, RawConnection, exchange
from tests.shared.server import ROOT, RunningServer
from wsecho import __version__
from wsecho.counting.row import SCENARIO_STEPS
from wsecho.scenarios.catalogue import GROUPS, OPTIONS, SEQUENCES, WORDS
from wsecho.scenarios.language.grammar import parse
from wsecho.scenarios.language.limits import LOCAL

ROWS = [*(row for word in WORDS for row in word.rows), *SEQUENCES]


def test_names_and_numbers_are_unique() -> None:
    for values in (
        [word.name for word in WORDS],
        [word.number for word in WORDS],
        [row.number for row in ROWS],
        [row.url for row in ROWS],
        [option.name for option in OPTIONS],
    ):
        assert len(set(values)) == len(values)


def test_every_word_belongs_to_a_group_and_is_counted() -> None:
    for word in WORDS:
        assert word.label in SCENARIO_STEPS
        assert word.number.startswith(f"{GROUPS[word.group][1]}.")
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*(/[a-z0-9]+(-[a-z0-9]+)*)?", word.name)
        assert word.rows, f"{word.name} has no row"
        named = set(re.findall(r"\{([\w-]+)\}", word.server))
        assert named <= {argument.name for argument in word.arguments}
        assert {*word.options} <= {option.name for option in OPTIONS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_every_row_can_be_performed(row) -> None:  # type: ignore[no-untyped-def]
    from wsecho.scenarios.catalogue import VOCABULARY

    path, _, query = row.url.partition("?")
    parse(path, query, VOCABULARY, LOCAL)
    assert row.act
    assert {"opened", "within"} <= row.expect.keys()


def test_the_catalogue_can_be_read_by_any_origin(server: RunningServer) -> None:
    status, headers, body = server.get("/scenarios.json")
    assert (status, headers["access-control-allow-origin"], headers["content-type"]) == (200, "*", "application/json")
    document = json.loads(body)
    assert document["version"] == __version__
    assert [word["name"] for word in document["words"]] == [word.name for word in WORDS]
    assert [option["name"] for option in document["options"]] == [option.name for option in OPTIONS]
    assert document["limits"]["seconds"] == 3600


def test_every_argument_states_the_values_that_are_accepted(server: RunningServer) -> None:
    """So that a form can be made of the catalogue."""
    document = json.loads(server.get("/scenarios.json")[2])
    shown = [argument for word in document["words"] for argument in word["arguments"]] + document["options"]
    arguments = [*(argument for word in WORDS for argument in word.arguments), *OPTIONS]
    units = {"duration": ("s", 0.001), "size": ("B", 1), "count": ("", 1)}
    for argument, stated in zip(arguments, shown, strict=True):
        for word in stated["choices"]:
            argument.kind.parse(word, LOCAL)
        assert (stated["least"] is None) == (stated["most"] is None)
        if stated["most"] is not None:
            unit, step = units[stated["type"]]
            for value in (stated["least"], stated["most"]):
                argument.kind.parse(f"{value:.0f}{unit}", LOCAL)
            with pytest.raises(ValueError, match=r"is not|is too long|is out of bounds"):
                argument.kind.parse(f"{stated['most'] + step:.3f}".rstrip("0").rstrip(".") + unit, LOCAL)


def test_the_catalogue_is_compressed_and_need_not_be_loaded_twice(server: RunningServer) -> None:
    whole = server.get("/scenarios.json")[2]
    status, headers, body = server.get("/scenarios.json", **{"Accept-Encoding": "gzip"})
    assert (status, gzip.decompress(body)) == (200, whole)
    assert len(body) < len(whole) / 5
    assert headers["access-control-allow-origin"] == "*"
    held = {"If-None-Match": headers["etag"], "Accept-Encoding": "gzip"}
    assert server.get("/scenarios.json", **held)[0] == 304


def test_documentation_and_help_name_every_word() -> None:
    text = (ROOT / "docs/scenarios.md").read_text()
    # Lines of the help break at hyphens, too.
    shown = re.sub(r"\s+", "", run("-m", "wsecho", "--help").stdout)
    for word in WORDS:
        assert f"`{word.name}" in text
        assert (f"{word.label}/..." if "/" in word.name else word.name) in shown


def test_a_get_says_in_words_what_each_connection_gets(server: RunningServer) -> None:
    status, headers, body = server.get("/ws/times/3/reject/503/next/after/10s/close/1012/next?key=words")
    text = body.decode()
    assert (status, headers["upgrade"], headers["access-control-allow-origin"]) == (426, "websocket", "*")
    for expected in (
        "Connections 1 to 3:\n  1. Answers the handshake with status 503",
        "Connection 4:\n  1. Echoes until 10s have passed",
        "  2. Sends a Close frame with code 1012",
        "Connection 5 and all later ones:\n  1. Echoes for as long as the client likes.",
        "RFC 6455 section",
        "  key = words\n",
        "10s of 60m",
        "Connections counted under this key so far: 0.\nGET /seen?key=words shows what the server saw of them.\n",
    ):
        assert expected in text
    with RawConnection(server.port) as connection:
        connection.send(request("/ws/times/3/reject/503/next/after/10s/close/1012/next?key=words"))
        assert connection.receive_all().startswith(b"HTTP/1.1 503 ")
    text = server.get("/ws/times/3/reject/503/next/after/10s/close/1012/next?key=words")[2].decode()
    assert "Connections counted under this key so far: 1." in text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("/ws/on-close/close", "Sends a Close frame with code 1000, or after on-close the client's own, waits"),
        ("/ws/on-close/mute", "Ping frames are answered, and so are Close frames, unless on-close is in the scenario."),
        ("/ws/tick/1s/5/abort/next/tick/1s?resume", "They begin with 1 or, with resume, where the ticks before"),
        ("/ws/end/next", "Connections counted under this URL and your address so far: 0."),
        ("/ws/stall", "  1. Stops reading forever. The kernels"),
        ("/ws/reject/204", "with status 204 and, if that status allows one, a body."),
        (
            "/ws?chunk=1",
            "  chunk = 1B\n     bytes that are written at once; the next ones follow a millisecond later\n",
        ),
    ],
)
def test_what_a_get_says_is_true_in_every_place_of_a_step(server: RunningServer, url: str, words: str) -> None:
    assert words in server.get(url)[2].decode()


@pytest.mark.parametrize("url", ["/ws/stall", "/ws/sink", "/ws/tick/1s", "/ws/wait/forever", "/ws/mute"])
def test_a_get_promises_no_echo_after_a_step_without_an_end(server: RunningServer, url: str) -> None:
    assert b"\n  2. " not in server.get(url)[2]


def test_what_a_get_says_of_values_is_printable_and_not_read_again(server: RunningServer) -> None:
    status, _, body = server.get("/ws/message/a%0Ab%1B[31m%E2%80%AE/close?reason=c%0Ad")
    assert status == 426
    assert "  1. Sends a text message: a?b?[31m?.\n" in body.decode()
    assert "  reason = c?d\n" in body.decode()
    body = server.get("/ws/require/basic/{password}/secret")[2]
    assert "the credentials of {password}." in body.decode()


def test_programs_get_the_plan_as_json(server: RunningServer) -> None:
    status, headers, body = server.get("/ws/close?reason=so+long", Accept="application/json")
    assert (status, headers["content-type"]) == (426, "application/json")
    document = json.loads(body)
    assert document["scenario"] == "/ws/close?reason=so%20long"
    (phase,) = document["phases"]
    assert phase["connections"] == {"from": 1, "to": None}
    assert [step["step"] for step in phase["steps"]] == ["close"]
    assert document["options"] == {"reason": "so long"}
    status, _, body = server.get("/ws/close/1", Accept="application/json")
    assert (status, json.loads(body).keys()) == (400, {"error"})


def test_the_prefix_alone_lists_all_words(server: RunningServer) -> None:
    status, _, body = server.get("/ws/")
    assert status == 426
    for word in WORDS:
        assert f"  {word.name}" in body.decode()


def test_errors_are_the_same_lines_in_a_handshake(server: RunningServer) -> None:
    status, _, body = server.get("/ws/clsoe/1000")
    answer = exchange(server, request("/ws/clsoe/1000"))
    assert status == 400
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.partition(b"\r\n\r\n")[2] == body == b"a step is needed instead of 'clsoe': did you mean 'close'?\n"
    assert exchange(server, request("/ws/message/a%23b#c")).startswith(b"HTTP/1.1 400 ")


def test_plain_echo_is_told_nothing_of_scenarios(shared_server: RunningServer) -> None:
    for url in ("/ws", "/ws/", "/ws/echo", "/ws?token=abc", "/wsx/close", "/echo/close/1000", "/?chunk=1"):
        with RawConnection(shared_server.port) as connection:
            connection.send(request(url) + client_frame(TEXT, b"hello"))
            assert connection.receive(len(SWITCHED)) == SWITCHED
            assert connection.receive(7) == server_frame(TEXT, b"hello")


def test_a_post_is_no_scenario(server: RunningServer) -> None:
    answer = exchange(server, b"POST /ws/close HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")


def test_all_can_be_turned_off(serve: Serve) -> None:
    assert b"a scenario under /ws/" in serve().get("/nowhere")[2]
    server = serve("--no-scenarios")
    assert b"a scenario" not in server.get("/nowhere")[2]
    with RawConnection(server.port) as connection:
        connection.send(request("/ws/close/1000") + client_frame(TEXT, b"hello"))
        assert connection.receive(len(SWITCHED)) == SWITCHED
        assert connection.receive(7) == server_frame(TEXT, b"hello")
    assert server.get("/scenarios.json")[0] == 404
    assert server.get("/ws/close/1000")[0] == 404


def test_a_public_server_allows_less_and_fewer(serve: Serve) -> None:
    server = serve("--public")
    assert server.get("/ws/delay/61")[0] == 400
    assert json.loads(server.get("/scenarios.json")[2])["limits"]["duration"] == 60
    # Five from one address; the sixth is refused, and admitted as soon as one has ended.
    with (
        scene(server, "/ws/delay/60"),
        scene(server, "/ws/delay/60"),
        scene(server, "/ws/delay/60"),
        scene(server, "/ws/delay/60"),
    ):
        with scene(server, "/ws/delay/60"):
            answer = exchange(server, request("/ws/delay/60"))
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"too many scenarios" in answer
        server.wait_for_metrics(websocket_active_connections=4)
        with scene(server, "/ws/delay/60"):
            pass
