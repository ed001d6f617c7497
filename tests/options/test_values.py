"""The text of values: sizes, times, numbers, ports, hosts, greetings."""

import re

import pytest

from wsecho.options.values import parse_count, parse_greeting, parse_host, parse_port, parse_size, parse_time


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("65536", 65536), ("64KiB", 65536), ("1.5 MiB", 1572864), ("2GiB", 2 << 30), ("7B", 7)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("20s", 20), ("5m", 300), ("1h", 3600), ("0.25", 0.25), ("3 s", 3)]
)
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1 2", "1kb", "64kib", "1e3", "٣", "1..2", "nan", "inf"])
def test_text_that_is_no_size_time_count_or_port(text: str) -> None:
    for parse in (parse_size, parse_time, parse_count, parse_port):
        with pytest.raises(ValueError, match=re.escape(repr(text))):
            parse(text)


def test_ports_and_hosts() -> None:
    assert (parse_port("0"), parse_port("65535"), parse_host("::1")) == (0, 65535, "::1")
    for text in ("65536", "80a", "-1"):
        with pytest.raises(ValueError, match="is not a port"):
            parse_port(text)
    assert (parse_host("[::1]"), parse_host(" [::] "), parse_host("localhost")) == ("::1", "::", "localhost")
    for text in ("a b", " "):
        with pytest.raises(ValueError, match="is not an address"):
            parse_host(text)


def test_a_greeting_is_short_and_text() -> None:
    assert parse_greeting("x" * 125) == b"x" * 125
    assert parse_greeting("ü") == "ü".encode()
    for text in ("", "x" * 126, "ü" * 63):
        with pytest.raises(ValueError, match="but must have 1 to 125"):
            parse_greeting(text)
    with pytest.raises(ValueError, match="not valid UTF-8"):
        parse_greeting("\udcff")


def test_a_size_below_a_byte_is_not_taken_for_zero() -> None:
    assert [parse_size(text) for text in ("0", "0.0MiB", "0.1B", "1.5B", "1.5KiB")] == [0, 0, 1, 2, 1536]
