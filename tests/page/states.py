"""The states that the page can be in, each as a user reaches it, on wide screens and on narrow ones."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.page.client import FAILED_CONNECTION, Client

Reach = Callable[[Client], None]
SUBSCRIBE = '{"type":"subscribe","channel":"prices","ids":[9007199254740993,2],"note":"numbers stay as they were sent"}'


def first_view(client: Client) -> None:
    expect(client.page.locator(".facts dd").first).to_be_attached()


def conversation(client: Client) -> None:
    client.connect()
    for text in ("hello", SUBSCRIBE, "invoice-\u202egpj.exe", "Grüße aus Köln, καλημέρα, привет"):
        client.send(text)
        expect(client.row(text[:8])).to_have_count(2)
    client.context("""({ connections: { active } }) => {
      active.send({ kind: "binary", data: Uint8Array.from({ length: 256 }, (_, index) => index) });
    }""")
    expect(client.row("00 01 02")).to_have_count(2)


def json_message(client: Client) -> None:
    conversation(client)
    client.row("subscribe").nth(1).click()
    expect(client.page.locator("#panel-message")).to_contain_text('"prices"')


def binary_message(client: Client) -> None:
    conversation(client)
    client.row("00 01 02").nth(1).click()
    expect(client.page.locator("#panel-message .rows .row").first).to_be_visible()


def failure(client: Client) -> None:
    client.allowed.append(FAILED_CONNECTION)
    client.url.fill("ws://127.0.0.1:9999/ws")
    client.url.press("Enter")
    client.page.locator(".line.error").first.click()
    expect(client.page.locator("#panel-message")).to_contain_text("curl")


def close(client: Client) -> None:
    client.url.fill(client.url.input_value() + "/close/4001")
    client.url.press("Enter")
    client.row("Closed by the server").click()
    expect(client.page.locator("#panel-message")).to_contain_text("4001")


def filtered(client: Client) -> None:
    client.fill_log(10)
    client.filter.fill("/(/")


def tool(name: str) -> Reach:
    def open_dialog(client: Client) -> None:
        _press(client, name)
        expect(client.page.get_by_role("dialog")).to_be_visible()

    return open_dialog


def panel(name: str) -> Reach:
    def show(client: Client) -> None:
        if client.tab(name).is_visible():
            client.tab(name).click()
        else:
            _press(client, name)
        expect(client.page.locator(f"#panel-{name.lower()}")).to_be_visible()

    return show


def scenarios(client: Client) -> None:
    panel("Scenarios")(client)
    expect(client.panel.get_by_role("status")).to_contain_text("scenarios. Each is a URL")


def verdict(client: Client) -> None:
    panel("Scenarios")(client)
    client.page.get_by_label("Search scenarios").fill("on/bye")
    client.page.locator(".scenarios li button").first.click()
    client.page.locator(".scenario").get_by_role("button", name="Run", exact=True).click()
    expect(client.page.locator(".verdicts")).to_be_visible()
    client.page.locator(".scenario summary").filter(has_text="More options").click()
    client.page.locator(".scenario summary").filter(has_text="Transcript").click()
    client.page.locator(".scenario summary").filter(has_text="What the server saw").click()
    expect(client.page.get_by_role("heading", name="Connection 1")).to_be_visible()


def loading(client: Client) -> None:
    panel("Measure")(client)
    client.context("""({ connections: { active } }) => {
      const payload = { size: 64, filling: "counter", seed: 1 };
      active.measure({ mode: "interval", interval: 10, inFlight: 1, count: 100000, seconds: 60, payload });
    }""")
    expect(client.page.locator("#panel-measure canvas").first).to_be_visible()


def measured(client: Client) -> None:
    panel("Measure")(client)
    client.page.get_by_label("Mode").select_option("burst")
    client.page.locator(".measure-panel").get_by_role("button", name="Run", exact=True).click()
    expect(client.page.locator(".measure-panel .result")).to_contain_text("All 1,000 came back")


def server(client: Client) -> None:
    panel("Server")(client)
    expect(client.page.locator(".tile")).to_have_count(6)


STATES: dict[str, Reach] = {
    "first-view": first_view,
    "conversation": conversation,
    "json": json_message,
    "binary": binary_message,
    "failure": failure,
    "close": close,
    "filter": filtered,
    "measure": panel("Measure"),
    "load": loading,
    "measured": measured,
    "scenarios": scenarios,
    "verdict": verdict,
    "server": server,
    "code": panel("Code"),
    "settings": tool("Settings"),
    "keys": tool("Keys"),
}


def _press(client: Client, name: str) -> None:
    """Press a button that a narrow page has in a menu."""
    button = client.page.get_by_role("button", name=name, exact=True)
    if not button.is_visible():
        client.page.locator("#tabs + .menu-button > button").click()
    button.click()
