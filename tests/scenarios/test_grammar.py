"""From URLs to plans, and back to the one way in which each is written.

Modules: `grammar`, `plan`, `word`, `arguments`, `data`.
"""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scenarios.urls import changed, random_paths
from wsecho.scenarios.catalogue import VOCABULARY
from wsecho.scenarios.description import as_json, in_words
from wsecho.scenarios.language.arguments import Amount
from wsecho.scenarios.language.budget import ScenarioError
from wsecho.scenarios.language.data import generated
from wsecho.scenarios.language.grammar import canonical, parse
from wsecho.scenarios.language.limits import LOCAL, Limits
from wsecho.scenarios.language.plan import Plan

# The needs that the language was made for, and the one way in which each URL is written.
EXAMPLES = {
    "/ws/close/1001?reason=going%20away": "",
    "/ws/burst/1000/100/close/4000": "/ws/burst/1000/100B/close/4000",
    "/ws/on-close/delay/5m/close": "",
    "/ws/on-close/flood/100/1KiB/close": "",
    "/ws/reject/429?retry-after=2s": "",
    "/ws/reject/503?body=maintenance&framing=chunked": "",
    "/ws/require/digest/ann/secret?keep": "",
    "/ws/handshake/bundled/message/hello": "",
    "/ws/handshake/connection-list": "",
    "/ws/times/3/reject/503/next?key=k1": "",
    "/ws/after/10s/close/1012/next?key=k1": "",
    "/ws/close/1008?key=k1": "",
    "/ws/tick/100ms/50/abort/next/tick/100ms?resume&key=k1": "",
    "/ws/wait/forever": "",
    "/ws/after/1/freeze": "",
    "/ws/mute": "",
    "/ws/ping-between": "",
    "/ws?chunk=1": "/ws?chunk=1B",
    "/ws?fragment=1": "/ws?fragment=1B",
    "/ws/stall/30s": "",
    "/ws/after/1/delay/6s/message/%7B%22type%22:%22connection_ack%22%7D?subprotocol=graphql-transport-ws": "",
    "/ws/bytes/hex:8802044c": "",
}


def plan_of(url: str, limits: Limits = LOCAL) -> Plan:
    path, _, query = url.partition("?")
    return parse(path, query, VOCABULARY, limits)


def written(url: str) -> str:
    return canonical(plan_of(url), VOCABULARY)


def error_of(url: str, limits: Limits = LOCAL) -> str:
    with pytest.raises(ScenarioError) as caught:
        plan_of(url, limits)
    return str(caught.value)


def check_answer(url: str) -> None:
    """Expect one line, or a plan that can be described and is read back from its canonical form."""
    try:
        plan = plan_of(url)
    except ScenarioError as error:
        line = str(error)
    else:
        text = canonical(plan, VOCABULARY)
        assert text.isascii(), url
        assert plan_of(text) == plan, url
        assert all(line.isprintable() for line in in_words(plan, LOCAL, 0).split("\n")), url
        json.dumps(as_json(plan, LOCAL, 0), allow_nan=False)
        return
    assert "\n" not in line, url
    assert len(line) < 400, url


@pytest.mark.parametrize("url", EXAMPLES)
def test_the_needs_that_the_language_was_made_for(url: str) -> None:
    assert written(url) == (EXAMPLES[url] or url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/ws/delay/1/close", "/ws/delay/1s/close"),
        ("/ws/delay/0.5", "/ws/delay/500ms"),
        ("/ws/delay/120", "/ws/delay/2m"),
        ("/ws/delay/0", "/ws/delay/0s"),
        ("/ws/%63lose", "/ws/close"),
        ("/ws/message/a%2Fb", "/ws/message/a%2Fb"),
        ("/ws/message/a+b", "/ws/message/a+b"),
        ("/ws/message/%c3%a9", "/ws/message/%C3%A9"),
        ("/ws/close?reason=a+b", "/ws/close?reason=a%20b"),
        ("/ws/close?reason=a%2Bb", "/ws/close?reason=a%2Bb"),
        ("/ws/after/65536B", "/ws/after/64KiB"),
        ("/ws/message/size:1024", "/ws/message/size:1KiB"),
        ("/ws/binary/b64:AP8", "/ws/binary/b64:AP8"),
        ("/ws/binary/hex:00FF", "/ws/binary/hex:00ff"),
        ("/ws/message/hexagon", "/ws/message/hexagon"),
        ("/ws/message/time:now", "/ws/message/time:now"),
        ("/ws/message/text:hex:00", "/ws/message/text:hex:00"),
        ("/ws/times/1/close/1000/next", "/ws/close/1000/next"),
        ("/ws/next/next/close", "/ws/next/next/close"),
        ("/ws/wait/forever/next/stall", "/ws/wait/forever/next/stall/forever"),
        ("/ws/message/next/message/times", "/ws/message/next/message/times"),
        ("/ws/close?key=a&seed=0007&vsn=2.0.0&token=x%zz", "/ws/close?key=a&seed=7"),
        ("/ws/close?t=1699999999", "/ws/close"),
        ("/ws/close?ka=1&k=2&apikey=3&token=4&transport=x&sid=y", "/ws/close"),
        ("/ws?reason=none&EIO=4", "/ws"),
        ("/ws?" + "&".join(map(str, range(64))), "/ws"),
        ("/ws/", "/ws"),
    ],
)
def test_each_plan_is_written_in_one_way(url: str, expected: str) -> None:
    assert written(url) == expected
    assert written(expected) == expected
    assert plan_of(url) == plan_of(expected)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("/ws/clsoe", "a step is needed instead of 'clsoe': did you mean 'close'?"),
        ("/ws/xyzzy", "a step is needed instead of 'xyzzy': GET /ws/ lists all steps"),
        ("/ws/close/1000/message/a", "'close' is the end of a connection, so only 'next' can follow it"),
        ("/ws/message/hi/reject/503", "'reject' happens before the 101 response, so it must stand before 'message'"),
        ("/ws/wait/forever/message/a", "'wait' goes on forever here, so only 'next' can follow it"),
        ("/ws/message/a/stall/forever/close", "'stall' goes on forever here"),
        ("/ws/close/next", "only the last step of a path may leave arguments out"),
        ("/ws/close/999", "3000 to 4999"),
        ("/ws/close/1005", "the code of 'close', '1005', is not a close code that may be sent"),
        ("/ws/delay", "'delay' lacks its duration: a duration such as 500ms, 2s or 5m"),
        ("/ws/delay/16m", "is too long: at most 15m is allowed here"),
        ("/ws/delay/forever", "is not a duration"),
        ("/ws/delay/-1", "is not a duration"),
        ("/ws/delay/0.0001", "is not a duration"),
        ("/ws/reject/101", "is not a whole number from 200 to 599"),
        ("/ws/redirect/304", "is not one of 301, 302, 303, 307, 308"),
        ("/ws/redirect/302?to=//elsewhere.example/", "is not a path of this server"),
        ("/ws/redirect/302?to=https://elsewhere.example/", "is not a path of this server"),
        ("/ws/redirect/302?to=/%0d%0aX:y", "is not a path of this server"),
        ("/ws/reject/503?retry-after=1500ms", "is not a duration in whole seconds"),
        ("/ws/message/", "an empty segment is not allowed"),
        ("/ws//close", "an empty segment is not allowed"),
        ("/ws/close/1000/", "an empty segment is not allowed"),
        ("/ws/message/.", "write 'hex:2e'"),
        ("/ws/message/%2e%2E", "write 'hex:2e2e'"),
        ("/ws/message/a\\b", "a backslash must be written as %5C"),
        ("/ws/message/%zz", "'%zz' in the path is no percent-encoding"),
        ("/ws/message/%", "'%' in the path is no percent-encoding"),
        ("/ws/message/%ff", "the path is not valid UTF-8"),
        ("/ws/message/hex:ff", "is not valid UTF-8, which text must be"),
        ("/ws/message/hex:f", "pairs of hexadecimal digits"),
        ("/ws/message/b64:a", "base64 in the URL alphabet"),
        ("/ws/message/b64:YQ==", "base64 in the URL alphabet"),
        ("/ws/message/size:1.5KiB", "is not a size"),
        ("/ws/bytes/size:65537", "is 65537 bytes long: at most 65536"),
        ("/ws/on/size:65537", "is 65537 bytes long: at most 65536"),
        ("/ws/message/size:2GiB", "is out of bounds"),
        ("/ws/after/0", "is not a whole number"),
        ("/ws/after/soon", "is not a number of messages"),
        ("/ws/times/0/close/next", "is not a whole number from 1"),
        ("/ws/times/3/close", "'times/3' has no effect without 'next'"),
        ("/ws/message/a/times/3", "'times' stands at the beginning of a phase"),
        ("/ws/" + "next/" * 8 + "close", "more than 8 phases"),
        ("/ws/" + "message/a/" * 33 + "close", "more than 32 steps"),
        ("/ws/" + "a/" * 152, "the path has 153 segments: at most 152 are allowed"),
        ("/ws?" + "&".join(map(str, range(65))), "the query has 65 parameters: at most 64 are allowed"),
        ("/ws/message/" + "a" * 4097, "longer than 4096 bytes"),
        ("/ws/close?reason=" + "a" * 124, "is not text of at most 123 bytes"),
        ("/ws/close?reason=%zz", "is no percent-encoding"),
        ("/ws/close?reson=x", "there is no option 'reson': did you mean 'reason'?"),
        ("/ws?seeed=1", "did you mean 'seed'?"),
        ("/ws?see%0Ad=1", "there is no option 'see?d': did you mean 'seed'?"),
        ("/ws/close?raeson=x", "there is no option 'raeson': did you mean 'reason'?"),
        ("/ws/close?reasno=x", "did you mean 'reason'?"),
        ("/ws?kye=k1", "there is no option 'kye': did you mean 'key'?"),
        ("/ws?keys=k1", "did you mean 'key'?"),
        ("/ws?CHUNK=1", "did you mean 'chunk'?"),
        ("/ws/close?seed=1&seed=2", "the option 'seed' is given twice"),
        ("/ws/close?seed=-1", "the option 'seed', '-1', is not a whole number"),
        ("/ws/message/a?retry-after=2s", "the option 'retry-after' has no effect here: it belongs to reject"),
        ("/ws/close?key=a%20b", "is not 1 to 64 of"),
        ("/ws/delay/15m/delay/15m/delay/15m/delay/15m/delay/1s", "the scenario takes 3601s: at most 60m"),
        ("/ws/message/size:1GiB/message/a", "at most 1GiB are allowed"),
    ],
)
def test_what_cannot_be_performed_is_refused_in_words(url: str, line: str) -> None:
    error = error_of(url)
    assert line in error
    assert "\n" not in error


def test_phases_by_the_number_of_the_connection() -> None:
    plan = plan_of("/ws/times/3/reject/503/next/close/1012/next")
    labels = [[step.word.name for step in plan.phase(attempt).steps] for attempt in (1, 3, 4, 5, 1000)]
    assert labels == [["reject"], ["reject"], ["close"], [], []]


def test_triggers_are_told_apart_by_their_unit() -> None:
    amounts = [plan_of(f"/ws/after/{text}").phases[0].steps[0].values[0] for text in ("3", "3s", "3KiB", "250ms")]
    assert amounts == [Amount("messages", 3), Amount("seconds", 3), Amount("bytes", 3072), Amount("seconds", 0.25)]


@pytest.mark.parametrize("size", [0, 1, 10, 11, 12, 26, 100, 65536, 4096 * 26 + 11, 300_000])
@pytest.mark.parametrize("number", [1, 12345])
def test_generated_payloads_have_number_and_checksum(size: int, number: int) -> None:
    payload = generated(number, size)
    assert len(payload) == size
    assert payload.isascii()
    if size >= len(str(number)) + 10:
        body, _, checksum = payload.rpartition(b":")
        assert int(body.partition(b":")[0]) == number
        assert int(checksum, 16) == zlib.crc32(body)


def test_an_answer_to_any_url_is_a_plan_or_one_line() -> None:
    examples = (*EXAMPLES, "/ws/message/hi/close/1000?reason=a%20b&key=k")
    for url in (*random_paths(3000), *changed(examples, 7000)):
        check_answer(url)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_plan_or_one_line(data: bytes) -> None:
    check_answer(f"/ws/{data.decode('latin-1')}")
