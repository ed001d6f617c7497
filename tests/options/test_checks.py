"""Options that contradict each other, or that would have no effect."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest

from wsecho.options.checks import check
from wsecho.options.config import Config
from wsecho.options.option import OptionError


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--max-message-size", "0"], "--max-message-size: '0' is too small: at least 1B is needed"),
        (["--ping-interval", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--ping-timeout", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--idle-timeout", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--max-lifetime", "0.1ms"], "at least 0.001s is needed, or 0"),
        (["--ping-interval", "0", "--ping-timeout", "5s"], "--ping-timeout has no effect if --ping-interval is 0"),
        (["--jwt-leeway", "5s"], "--jwt-leeway has no effect without --jwt-key-file or --jwt-jwks"),
        (["--port", "1", "--admin-port", "1"], "--admin-port must differ from --port"),
        (
            ["--host", "::1", "--port", "1", "--admin-host", "::1", "--admin-port", "1"],
            "--admin-port must differ from --port",
        ),
        (["--allow-origin", "*,https://example.com"], "--allow-origin lists other origins beside *"),
        (["--subprotocol", "first,chat"], "'first,chat' mixes 'first' or 'none' with names"),
        (["--max-connections", "9999999999"], "--max-connections: 9999999999 connections need 10000"),
    ],
)
def test_an_option_that_cannot_mean_what_it_says_is_refused(
    complaint: Callable[..., str], arguments: list[str], told: str
) -> None:
    assert told in complaint(*arguments)


@pytest.mark.parametrize(
    ("host", "admin_host", "overlap"),
    [
        ("::", "127.0.0.1", True),
        ("::", "::1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("0.0.0.0", "::1", False),
        ("192.0.2.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
    ],
)
def test_one_port_is_enough_where_the_addresses_differ(host: str, admin_host: str, *, overlap: bool) -> None:
    config = Config(host=host, admin_host=admin_host, port=8080, admin_port=8080)
    with pytest.raises(OptionError, match="--admin-port must differ from --port") if overlap else nullcontext():
        check(config)
