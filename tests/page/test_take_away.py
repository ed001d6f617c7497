"""What is taken away from the page: links, code, transcripts. None of them has a token.

Modules: `link-dialog`, `code-panel`, `export-dialog`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.page.client import Client
from tests.page.conftest import OpenPage
from tests.shared.server import RunningServer

TOKEN = "very-secret-token"


def link_of(client: Client) -> str:
    client.page.get_by_role("button", name="Copy link").click()
    return client.page.get_by_label("Link", exact=True).input_value()


def exported(client: Client, choice: str | None = None, *, saved: bool = False) -> list[dict[str, Any]]:
    """Export the log; return the values of the lines."""
    client.page.get_by_role("button", name="Export", exact=True).first.click()
    dialog = client.page.get_by_role("dialog")
    if choice:
        dialog.get_by_label(choice).check()
    if saved:
        dialog.get_by_label("Saved messages too").check()
    with client.page.expect_download() as download:
        dialog.get_by_role("button", name="Export", exact=True).click()
    assert download.value.suggested_filename.endswith(".jsonl")
    return [json.loads(line) for line in download.value.path().read_text().splitlines()]


def fill_token(client: Client) -> None:
    client.page.get_by_role("button", name="Options").click()
    client.page.get_by_label("Token").fill(TOKEN)


# Links


def test_a_link_fills_in_another_page_and_sends_nothing(
    client: Client, open_page: OpenPage, server: RunningServer
) -> None:
    client.url.fill(f"{server.ws_url}/ws/close/4001?reason=a%20b")
    client.composer.get_by_role("button", name="JSON", exact=True).click()
    client.message.fill('{"a": "b&c=d#%+"}')
    link = link_of(client)
    assert link.startswith(f"{server.http_url}/#url=ws/close/4001?reason=")
    before = server.metrics()
    opened = open_page(link)
    expect(opened.url).to_have_value(f"{server.ws_url}/ws/close/4001?reason=a%20b")
    expect(opened.message).to_have_value('{"a": "b&c=d#%+"}')
    expect(opened.composer).to_contain_text("This link filled in the URL and a message. Nothing was sent.")
    expect(opened.connect_button).to_be_visible()
    expect(opened.rows).to_have_count(0)
    name = "websocket_handshakes_total"
    assert {key: value for key, value in server.metrics().items() if key.startswith(name)} == {
        key: value for key, value in before.items() if key.startswith(name)
    }


def test_a_draft_is_newer_than_the_link_after_a_reload(open_page: OpenPage, server: RunningServer) -> None:
    client = open_page(f"{server.http_url}/#as=text&send=linked")
    expect(client.message).to_have_value("linked")
    client.message.fill("edited")
    client.page.reload()
    expect(client.message).to_have_value("edited")


def test_a_link_that_is_opened_in_the_same_tab_fills_in_too(client: Client, server: RunningServer) -> None:
    client.page.goto(f"{server.http_url}/#send=later&panel=code")
    expect(client.message).to_have_value("later")
    expect(client.tab("Code")).to_have_attribute("aria-selected", "true")


def test_a_link_has_no_token_and_no_user_info(client: Client) -> None:
    fill_token(client)
    client.url.fill(f"wss://user:{TOKEN}@other.test/ws?access_token={TOKEN}")
    link = link_of(client)
    assert "other.test" in link
    assert TOKEN not in link
    expect(client.page.get_by_role("dialog")).to_contain_text("look like secrets are left out")


def test_a_message_that_is_too_long_for_a_link_is_left_out(client: Client) -> None:
    client.message.fill("x" * 9000)
    assert len(link_of(client)) < 200
    expect(client.page.get_by_role("dialog")).to_contain_text("longer than 8 KB")


@pytest.mark.parametrize(
    "fragment",
    [
        "url=javascript:window.ran=1",
        "send=<script>window.ran=1</script>",
        "__proto__=1&constructor=2&send=x",
        "url=ws://%5B&panel=<img src=x onerror=window.ran=1>",
        "send=%ff%fe&as=<b>",
        "scenario=" + quote("<svg onload=window.ran=1>"),
        "&".join(f"{index}=x" for index in range(5000)),
        "send=" + "x" * 100_000,
    ],
)
def test_hostile_fragments_do_nothing(open_page: OpenPage, server: RunningServer, fragment: str) -> None:
    client = open_page(f"{server.http_url}/#{fragment}")
    expect(client.composer).to_contain_text("Nothing was sent.")
    expect(client.url).to_have_value(f"{server.ws_url}/ws")
    assert client.page.evaluate("window.ran ?? null") is None
    box = client.page.locator(".notice").bounding_box()
    assert box is not None
    assert box["height"] < 200


# Code


def test_code_follows_the_message_and_never_has_the_token(client: Client, server: RunningServer) -> None:
    fill_token(client)
    client.message.fill('it\'s "x"')
    client.tab("Code").click()
    code = client.page.get_by_label("Code", exact=True).last
    for language in ("JavaScript", "Python", "wscat", "websocat", "curl"):
        client.page.get_by_role("button", name=language, exact=True).click()
        expect(code).to_contain_text("TOKEN")
        assert TOKEN not in code.inner_text()
    client.message.fill("changed")
    client.page.get_by_role("button", name="Python", exact=True).click()
    expect(code).to_contain_text('message = "changed"')


def test_the_python_code_works(client: Client, server: RunningServer) -> None:
    client.message.fill('it\'s "x" \u202e 😀')
    client.tab("Code").click()
    client.page.get_by_role("button", name="Python", exact=True).click()
    code = client.page.get_by_label("Code", exact=True).last.inner_text()
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True, env=environment
    )
    assert run.stdout == 'it\'s "x" \u202e 😀\n'


def test_the_curl_command_shows_the_handshake(client: Client, server: RunningServer) -> None:
    client.url.fill(f"{server.ws_url}/nothing-here?a='b'&c")
    client.tab("Code").click()
    client.page.get_by_role("button", name="curl", exact=True).click()
    code = client.page.get_by_label("Code", exact=True).last.inner_text()
    run = subprocess.run(["/bin/sh", "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout.startswith("HTTP/1.1 ")


# Transcripts


def test_an_exported_log_can_be_read_again(client: Client, server: RunningServer, tmp_path: Path) -> None:
    fill_token(client)
    client.connect()
    texts = ["hello", "\u202e\u0000\n\ud7ff", '{"a":9007199254740993}']
    for text in texts:
        client.send(text)
        expect(client.log).to_contain_text(text[:1].strip("\u202e") or "U+202E")
    client.context("({ connections: { active } }) => active.send({ kind: 'binary', data: Uint8Array.of(0, 255) })")
    expect(client.row("00 ff")).to_have_count(2)
    client.disconnect_button.click()
    expect(client.row("Closed")).to_be_visible()
    head, *lines = exported(client)
    assert head["transcript"] == 1
    assert head["url"] == f"{server.ws_url}/ws"
    assert "Chrom" in head["browser"]
    sent = [line.get("text", line.get("base64")) for line in lines if line["direction"] == "sent"]
    assert sent == [*texts, "AP8="]
    received = [line for line in lines if line["direction"] == "received"]
    assert [line["echo"]["state"] for line in received] == ["same"] * 4
    assert all(line["roundTrip"] > 0 and line["ms"] > 0 for line in received)
    assert TOKEN not in json.dumps(lines)

    file = tmp_path / "transcript.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in [head, *lines]))
    client.page.get_by_role("button", name="Export", exact=True).first.click()
    client.page.get_by_label("Transcript").set_input_files(file)
    expect(client.row("Nothing was sent.")).to_contain_text(f"{len(lines)} rows")
    again = exported(client)[1:]
    assert [(line["direction"], line.get("text"), line.get("base64")) for line in again[:-1]] == [
        (line["direction"], line.get("text"), line.get("base64")) for line in lines
    ]


def test_a_part_of_the_log_is_exported(client: Client) -> None:
    client.connect()
    for text in ("apple", "pear"):
        client.send(text)
        expect(client.row(text)).to_have_count(2)
    client.filter.fill("pear")
    expect(client.row("apple")).to_have_count(0)
    assert [line["text"] for line in exported(client, "What passes the filter")[1:]] == ["pear", "pear"]
    client.row("pear").first.click()
    assert [line["text"] for line in exported(client, "The selected message")[1:]] == ["pear"]


def test_saved_messages_travel_with_a_transcript(client: Client, tmp_path: Path) -> None:
    client.context("({ composer }) => composer.saved.add([{ name: 'ping', kind: 'hex', text: '00' }])")
    lines = exported(client, saved=True)
    assert lines[-1] == {"saved": {"name": "ping", "kind": "hex", "text": "00"}}
    client.context("({ device }) => device.forget()")
    file = tmp_path / "transcript.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    client.page.get_by_role("button", name="Export", exact=True).first.click()
    client.page.get_by_label("Transcript").set_input_files(file)
    expect(client.row("Nothing was sent.")).to_be_visible()
    client.page.get_by_role("button", name="Saved").click()
    expect(client.composer.get_by_role("button", name="ping")).to_be_visible()


@pytest.mark.parametrize(
    ("content", "problem"), [("hello", "Line 1: this is not JSON"), ("{}", "Line 1: a transcript begins with")]
)
def test_what_is_no_transcript_is_explained(client: Client, tmp_path: Path, content: str, problem: str) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text(content)
    client.page.get_by_role("button", name="Export", exact=True).first.click()
    client.page.get_by_label("Transcript").set_input_files(file)
    expect(client.page.get_by_role("dialog")).to_contain_text(problem)


def test_no_token_is_kept_or_shown(client: Client) -> None:
    fill_token(client)
    client.send("hello")
    expect(client.row("hello")).to_have_count(2)
    client.tab("Code").click()
    kept = client.page.evaluate(
        "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state, document.title,"
        " document.body.innerText, location.href])"
    )
    assert TOKEN not in kept
    assert TOKEN not in json.dumps(exported(client))
