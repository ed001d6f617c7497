"""What the catalogue says in `judge`. Modules: `judgement`."""

import pytest

from wsecho.scenarios.catalogue import SEQUENCES, WORDS
from wsecho.scenarios.language.judgement import EMPTY, ENDED, parse

ROWS = [*(row for word in WORDS for row in word.rows), *SEQUENCES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.number)
def test_every_row_can_be_judged(row) -> None:  # type: ignore[no-untyped-def]
    for text in row.judge:
        assert parse(text).text == text


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("close 1000", (1000,)),
        ("close empty or 1000", (EMPTY, 1000)),
        ("close 1002 or 1007 or end", (1002, 1007, ENDED)),
    ],
)
def test_closes(text: str, codes: tuple[int, ...]) -> None:
    judgement = parse(text)
    assert (judgement.about, judgement.codes) == ("close", codes)


@pytest.mark.parametrize(
    ("text", "payload"),
    [("pong hello", b"hello"), ("pong hex:", b""), ("pong size:4", b"abcd"), ("pong a b", b"a b")],
)
def test_pongs(text: str, payload: bytes) -> None:
    judgement = parse(text)
    assert judgement.about == "pong"
    assert judgement.payload
    assert judgement.payload.payload(1) == payload


def test_attempts() -> None:
    assert [parse(text).counts for text in ("3 attempts", "1 or 2 attempts")] == [(3,), (1, 2)]


def test_gaps() -> None:
    assert [parse(text).seconds for text in ("gaps grow", "gaps of 2 s or more")] == [None, 2]


@pytest.mark.parametrize(
    "text", ["", "close", "few attempts", "gaps", "close 99", "close 1000 or", "close 1000, end", "echo", "pong hex:f"]
)
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no judgement|hexadecimal"):
        parse(text)
