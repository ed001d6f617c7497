"""A connection as the page has it: how it ends, in words; reconnects; what is sent without one.

Modules: `connection`, `close-codes`, `events`.
"""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect
from websockets.sync.server import ServerConnection

from tests.page.client import FAILED_CONNECTION, Client
from tests.page.conftest import OpenPage
from tests.page.peers import peer
from tests.shared.frames import TEXT, server_frame
from tests.shared.server import RunningServer

WORDS = {
    1000: "normal closure",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1007: "invalid data, such as text that is not UTF-8",
    1008: "policy violation",
    1009: "message too big",
    1010: "a required extension is missing",
    1011: "internal error of the server",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    3000: "registered by a library or framework",
    4001: "private use",
}


def test_closes_are_told_in_words(client: Client, server: RunningServer) -> None:
    for code, words in WORDS.items():
        client.url.fill(f"{server.ws_url}/ws/close/{code}?reason=a%20reason")
        client.connect_button.click()
        expect(client.state).to_have_text(f"Closed {code}")
        expect(client.row(f'Closed by the server: {code}, {words}, "a reason". Open for ')).to_be_visible()


def test_an_end_without_a_code_is_told(client: Client, server: RunningServer) -> None:
    client.allowed.append(FAILED_CONNECTION)
    for path, state, words, rows in [
        ("close-empty", "Closed 1005", "Closed by the server without a code. Open for ", 1),
        ("abort", "Closed 1006", "Ended without a Close, in the middle of traffic. Open for ", 1),
        ("end", "Closed 1006", "Ended without a Close, in the middle of traffic. Open for ", 2),
    ]:
        client.url.fill(f"{server.ws_url}/ws/{path}")
        client.connect_button.click()
        expect(client.row(words)).to_have_count(rows)
        expect(client.state).to_have_text(state)


@pytest.mark.parametrize(
    "sent",
    [
        server_frame(TEXT, b"caf\xc3"),
        server_frame(TEXT, b"\xed\xa0\x80"),
        server_frame(3, b"reserved"),
        b"\x81\x80\0\0\0\0",
    ],
    ids=["incomplete UTF-8", "surrogate", "reserved opcode", "masked"],
)
def test_a_peer_that_breaks_the_protocol_is_told_as_far_as_a_page_can_know(client: Client, sent: bytes) -> None:
    client.allowed.append(FAILED_CONNECTION)
    with peer(lambda connection: connection.socket.sendall(server_frame(TEXT, b"before") + sent)) as url:
        client.url.fill(url)
        client.connect_button.click()
        expect(client.state).to_have_text("Closed 1006")
        expect(client.row("before")).to_be_visible()
        client.row("Ended without a Close").click()
        expect(client.panel).to_contain_text("Either the connection was cut, or the server broke the protocol")


def test_a_silence_before_the_end_is_told(client: Client, server: RunningServer) -> None:
    client.allowed.append(FAILED_CONNECTION)
    # A silence of less than 1 s is not told. On a busy machine the page learns late that the connection is open.
    client.url.fill(f"{server.ws_url}/ws/delay/3s/abort")
    client.connect_button.click()
    told = re.compile(r"Ended without a Close, after (\d+(?:\.\d)? s) of silence\. Open for \1\.")
    expect(client.row(told)).to_be_visible()


def test_a_hostile_reason_stays_in_its_row(client: Client) -> None:
    reason = "\u202egpj.exe\u200b<img src=x onerror=alert(1)>" + "\u0301" * 30
    with peer(lambda connection: connection.close(4000, reason)) as url:
        client.url.fill(url)
        client.connect_button.click()
        expect(client.state).to_have_text("Closed 4000")
        row = client.row("Closed by the server: 4000")
        expect(row).to_contain_text("U+202E")
        box = row.bounding_box()
        assert box is not None
        assert box["height"] <= 48


def test_a_server_that_never_answers_the_close_can_be_left(client: Client, server: RunningServer) -> None:
    client.connect(f"{server.ws_url}/ws/freeze")
    client.disconnect_button.click()
    expect(client.state).to_have_text("Closing")
    client.page.get_by_role("button", name="Cancel").click()
    expect(client.state).to_have_text("Not connected")
    expect(client.row("Ended without waiting for the server's Close.")).to_be_visible()


def test_sending_connects_first(client: Client) -> None:
    client.context("""({ connections: { active } }) => {
      for (const data of ["one", "two", "three"]) active.send({ kind: "text", data });
    }""")
    expect(client.page.get_by_role("img", name="3 sent, 3 received")).to_be_visible()
    expect(client.row("three").last).to_be_visible()


def test_what_could_not_be_sent_is_told(client: Client) -> None:
    client.url.fill("ws://127.0.0.1:1/")
    client.context("({ connections: { active } }) => active.send({ kind: 'text', data: 'lost words' })")
    expect(client.row("Browsers block port 1")).to_be_visible()
    expect(client.row("The message was not sent.")).to_be_visible()
    expect(client.state).to_have_text("Failed")


SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20, 64 << 20]


@pytest.mark.parametrize("kind", ["text", "binary", "file"])
def test_payloads_come_back_byte_exact(client: Client, kind: str) -> None:
    client.connect()
    came_back = client.context(
        """async ({ connections: { active } }, [kind, sizes]) => {
          const echo = () => new Promise((done) => {
            const off = active.on("rows", () => {
              const row = active.log.get(active.log.endId - 1);
              if (row?.direction === "received") done((off(), row));
            });
          });
          const found = [];
          for (const size of sizes) {
            const bytes = new Uint8Array(size).map((_, index) => 97 + ((index * 7 + (index >> 8)) % 26));
            const text = kind === "text" ? new TextDecoder().decode(bytes) : "";
            const data = { text, binary: bytes, file: new Blob([bytes]) }[kind];
            const received = echo();
            active.send({ kind: kind === "text" ? "text" : "binary", data });
            const { payload, size: back, echo: { state, of } } = await received;
            const whole = new Uint8Array(await new Blob([payload]).arrayBuffer());
            const isSame = whole.length === size && whole.every((byte, index) => byte === bytes[index]);
            const isText = typeof payload === "string" || payload.type === "text/plain";
            found.push([isSame, isText, back, state, active.log.get(of).kind]);
          }
          return found;
        }""",
        [kind, SIZES],
    )
    kinds = ["file" if kind == "file" else kind if size else "empty" for size in SIZES]
    assert came_back == [[True, kind == "text", size, "same", row] for size, row in zip(SIZES, kinds, strict=True)]


def test_messages_keep_their_order_behind_a_file(client: Client) -> None:
    client.connect()
    client.context("""({ connections: { active } }) => {
      active.send({ kind: "binary", data: new Blob([new Uint8Array(1 << 20)]) });
      active.send({ kind: "text", data: "behind" });
      active.disconnect();
    }""")
    expect(client.state).to_have_text("Closed 1000")
    expect(client.page.get_by_role("img", name=re.compile("^2 sent"))).to_be_visible()
    kinds = client.context("""({ connections: { active: { log } } }) =>
      Array.from({ length: log.length }, (_, id) => log.get(id)).filter(({ direction }) => direction === "sent")
        .map(({ kind }) => kind)""")
    assert kinds == ["file", "text"]


class Flaky:
    """A server that cuts off connections while `is_down`."""

    def __init__(self, first_text: str) -> None:
        self.first_text = first_text
        self.is_down = False
        self.connections = 0

    def __call__(self, connection: ServerConnection) -> None:
        self.connections += 1
        if self.is_down:
            connection.socket.close()
            return
        connection.send(self.first_text)
        for message in connection:
            if message == "go":
                connection.close(1012)
            connection.send(message)


def test_reconnects_after_growing_pauses(open_page: OpenPage) -> None:
    client = open_page()
    client.page.clock.install()
    client.page.reload()
    flaky = Flaky("welcome")
    with peer(flaky) as url:
        client.page.get_by_role("button", name="Options").click()
        client.page.get_by_label("Reconnect when the connection ends").check()
        client.connect(url)
        expect(client.row("welcome")).to_be_visible()
        # From now on the page's time passes only where the test says so. It draws no rows meanwhile.
        client.page.clock.pause_at(datetime.now() + timedelta(hours=1))
        client.send("go")
        expect(client.state).to_have_text("Reconnecting in 1 s (1st try)")
        client.page.clock.run_for(500)
        assert flaky.connections == 1
        client.page.clock.run_for(600)
        expect(client.state).to_have_text(re.compile("^Connected"))
        expect(client.page.locator("#bar .received")).to_have_text("↓ 2")
        client.send("go")
        # It has lived for less than 10 s, so the pause is doubled.
        expect(client.state).to_have_text("Reconnecting in 2 s (2nd try)")
        client.page.get_by_role("button", name="Now").click()
        expect(client.state).to_have_text(re.compile("^Connected"))
        client.send("go")
        expect(client.state).to_have_text("Reconnecting in 4 s (3rd try)")
        client.page.get_by_role("button", name="Cancel").click()
        client.page.clock.run_for(60_000)
        expect(client.state).to_have_text("Not connected")
        assert flaky.connections == 3


def test_does_not_reconnect_after_disconnect(client: Client) -> None:
    client.page.get_by_role("button", name="Options").click()
    client.page.get_by_label("Reconnect when the connection ends").check()
    client.connect()
    client.disconnect_button.click()
    expect(client.state).to_have_text("Closed 1000")
