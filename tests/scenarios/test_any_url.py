"""Any URL under /ws/, through the wire: it is a scenario or it is refused in words, and others are served."""

from contextlib import ExitStack

from tests.conftest import Serve
from tests.scenarios.scenes import request
from tests.scenarios.test_grammar import EXAMPLES, plan_of
from tests.scenarios.urls import changed, misspelt, random_paths
from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.processes import descriptors, wait_until
from tests.shared.raw import RawConnection
from wsecho.scenarios.catalogue import WORDS
from wsecho.scenarios.language.budget import ScenarioError

ROWS = tuple(row.url for word in WORDS for row in word.rows if row.url.startswith("/ws/"))
AT_ONCE = 25


def refusal(url: str) -> str | None:
    """Return the line that refuses a URL; empty if HTTP does; None if it is a scenario."""
    if not all("!" <= character <= "~" for character in url):
        return ""
    if "#" in url:
        return "a '#' must be written as %23, because clients cut the URL there"
    try:
        plan_of(url)
    except ScenarioError as error:
        return str(error)
    return None


def is_answered_as_written(connection: RawConnection, url: str) -> None:
    """Expect the refusal of a URL, or what its scenario can begin with, and leave."""
    line = refusal(url)
    if line is not None:
        head, _, body = connection.receive_all().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), (url, head)
        assert not line or body.decode() == f"{line}\n", url
        return
    opening = [step.word.name for step in plan_of(url).phases[0].at("opening")]
    if "wait" not in opening:
        start = connection.receive(12)
        assert start[9:] != b"500" or "reject/500" in url, url
        # Without permessage-deflate, some scenarios cannot be performed.
        assert opening or start in (b"HTTP/1.1 101", b"HTTP/1.1 400"), (url, start)
    connection.reset()


def test_any_url_is_a_scenario_or_is_refused(serve: Serve, codec_name: str) -> None:
    """Each codec gets half of 10,000 URLs."""
    server = serve("--codec", codec_name)
    wrong = [*misspelt(ROWS, 2000)]
    assert None not in map(refusal, wrong)
    urls = [*random_paths(3000), *changed((*EXAMPLES, *ROWS), 4999), *wrong, "/ws/" + "a/" * 2000]
    with RawConnection(server.port).open() as echo:
        files = descriptors(server.pid)
        half = urls[codec_name == "python" :: 2]
        for at in range(0, len(half), AT_ONCE):
            with ExitStack() as stack:
                some = [(stack.enter_context(RawConnection(server.port)), url) for url in half[at : at + AT_ONCE]]
                for connection, url in some:
                    connection.send(request(url))
                echo.send(client_frame(TEXT, b"hello"))
                assert echo.receive(7) == server_frame(TEXT, b"hello")
                for connection, url in some:
                    is_answered_as_written(connection, url)
        server.wait_for_metrics(websocket_active_connections=1)
        wait_until(lambda: descriptors(server.pid) <= files)
