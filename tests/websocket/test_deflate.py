"""Negotiation of permessage-deflate: all offers and their answers (RFC 7692 section 7)."""

import itertools
from collections.abc import Iterator

import pytest

from tests.shared.deflate_clients import CLIENTS
from wsecho.websocket import deflate
from wsecho.websocket.deflate import Agreement

NAME = "permessage-deflate"
PLAIN = (NAME, 15, True)
NO_CONTEXT = (f"{NAME}; server_no_context_takeover; client_no_context_takeover", 15, False)
DECLINED = None


def answer(header: str) -> tuple[str, int, bool] | None:
    agreement = deflate.negotiate(header)
    return (agreement.header, agreement.window_bits, agreement.context_takeover) if agreement else None


@pytest.mark.parametrize(
    ("offer", "answered"),
    [
        ("", DECLINED),
        ("x-webkit-deflate-frame", DECLINED),
        ("permessage-bzip2", DECLINED),
        (NAME, PLAIN),
        (f"{NAME}; client_max_window_bits", PLAIN),
        (f"{NAME};client_max_window_bits", PLAIN),
        (f"{NAME} ;\tclient_max_window_bits  ", PLAIN),
        (f'{NAME}; client_max_window_bits="15"', PLAIN),
        (f"{NAME}; client_no_context_takeover", NO_CONTEXT),
        (f"{NAME}; server_no_context_takeover", NO_CONTEXT),
        (f"{NAME}; client_no_context_takeover; server_no_context_takeover", NO_CONTEXT),
        (f'{NAME}; server_max_window_bits="10"; client_max_window_bits',
         (f"{NAME}; server_max_window_bits=10; client_max_window_bits=10", 10, True)),
        # The answer repeats the client's value, even where it does not limit the window.
        *((f"{NAME}; client_max_window_bits={bits}", (f"{NAME}; client_max_window_bits={bits}", 15, True))
          for bits in range(8, 15)),
        (f"{NAME}; server_max_window_bits=11; client_max_window_bits=10",
         (f"{NAME}; server_max_window_bits=11; client_max_window_bits=10", 11, True)),
        (f"{NAME}; server_max_window_bits=10; client_max_window_bits=11",
         (f"{NAME}; server_max_window_bits=10; client_max_window_bits=10", 10, True)),
        (f"{NAME}; server_max_window_bits=15; client_max_window_bits=15",
         (f"{NAME}; server_max_window_bits=15", 15, True)),
        # Several offers: the server takes the first that it can keep.
        (f"{NAME}; server_max_window_bits=10, {NAME}", PLAIN),
        (f"{NAME}; client_no_context_takeover, {NAME}", NO_CONTEXT),
        (f"foo; bar=baz, {NAME}; unknown, {NAME}; client_max_window_bits", PLAIN),
        (f", ,{NAME},", PLAIN),
        # Offers that are declined (section 7.1): a parameter is unknown, repeated, or has a value that is not allowed.
        (f"{NAME}; unknown", DECLINED),
        (f"{NAME}; unknown=1", DECLINED),
        (f"{NAME}; client_no_context_takeover=1", DECLINED),
        (f"{NAME}; server_no_context_takeover=true", DECLINED),
        (f"{NAME}; client_no_context_takeover; client_no_context_takeover", DECLINED),
        (f"{NAME}; server_max_window_bits=10; server_max_window_bits=10; client_max_window_bits", DECLINED),
        (f"{NAME}; server_max_window_bits", DECLINED),
        *((f"{NAME}; server_max_window_bits={bits}; client_max_window_bits", DECLINED)
          for bits in ("0", "7", "16", "08", "010", "1e1", "99999999999999999999", "x")),
        *((f"{NAME}; client_max_window_bits={bits}", DECLINED) for bits in ("0", "7", "16", "08", "+9", "x")),
        # zlib cannot write with a window of 2**8 bytes.
        (f"{NAME}; server_max_window_bits=8; client_max_window_bits", DECLINED),
    ],
)  # fmt: skip
def test_an_offer_is_answered_or_declined(offer: str, answered: tuple[str, int, bool] | None) -> None:
    assert answer(offer) == answered


SERVER_BITS = [None, *range(8, 16)]
CLIENT_BITS = ["absent", None, *range(8, 16)]


def every_offer() -> Iterator[str]:
    flags = ["server_no_context_takeover", "client_no_context_takeover"]
    for server_bits, client_bits, *absent in itertools.product(SERVER_BITS, CLIENT_BITS, (True, False), (True, False)):
        offer = [NAME, *(flag for flag, is_absent in zip(flags, absent, strict=True) if not is_absent)]
        if server_bits:
            offer.append(f"server_max_window_bits={server_bits}")
        if client_bits != "absent":
            offer.append(f"client_max_window_bits={client_bits}" if client_bits else "client_max_window_bits")
        yield "; ".join(offer)


def parameters_of(header: str) -> dict[str, str | None]:
    ((name, parameters),) = deflate.parse_extensions(header)
    assert name == NAME
    return dict(parameters)


def test_every_combination_is_symmetrical_or_declined() -> None:
    """The client must be able to read what the server sends with the same window and context that it writes with."""
    for offer in every_offer():
        offered = parameters_of(offer)
        asked = int(offered.get("server_max_window_bits") or 15)
        agreement = deflate.agree(deflate.parse_extensions(offer))
        assert (agreement is not None) == (asked == 15 or (asked > 8 and "client_max_window_bits" in offered)), offer
        if agreement:
            check_symmetry(agreement, offered)


def check_symmetry(agreement: Agreement, offered: dict[str, str | None]) -> None:
    answered = parameters_of(agreement.header)
    # RFC 7692 section 7.1.2.1: the answer must repeat the window that the client asks of the server, and keep to it.
    assert answered.get("server_max_window_bits") == offered.get("server_max_window_bits")
    reads_with = int(answered.get("server_max_window_bits") or 15)
    # Section 7.1.2.2: the answer limits the client's window only if the client offered that, and to no larger window
    # than it offered. Without a limit in the answer the client may write with the largest window, whatever it offered.
    told = answered.get("client_max_window_bits")
    assert told is None or "client_max_window_bits" in offered
    writes_with = int(told or 15)
    assert writes_with <= min(reads_with, int(offered.get("client_max_window_bits") or 15))
    assert agreement.window_bits == reads_with
    # Section 7.1.1: if the client asks the server to give up its context, the client must give up its own too, and the
    # reverse.
    asked = {"server_no_context_takeover", "client_no_context_takeover"}
    assert asked & answered.keys() == (asked if asked & offered.keys() else set())
    assert agreement.context_takeover == ("client_no_context_takeover" not in answered)


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_accepts_each_answer_to_what_it_can_offer_and_reads_what_it_writes(name: str) -> None:
    client = CLIENTS[name]
    for offer in filter(client.can_offer, map(parameters_of, every_offer())):
        header = "; ".join([NAME, *(f"{key}={value}" if value else key for key, value in offer.items())])
        agreement = deflate.agree(deflate.parse_extensions(header))
        if agreement is None:
            continue  # No compression. Every client supports that.
        reading = client.read(offer, parameters_of(agreement.header))
        if reason := client.cannot(offer):
            assert reading is None or not reading.is_symmetrical_within(agreement), (header, reason)
        else:
            assert reading is not None, f"{name} refuses {agreement.header} in answer to {header}"
            assert reading.is_symmetrical_within(agreement), (header, agreement, reading)


@pytest.mark.parametrize(
    "header",
    [
        ";",
        "a b",
        "a;",
        "a;;b",
        "a;b=",
        'a;b="',
        'a;b="x y"',
        'a;b=""',
        "a=b",
        "caf\xe9",
        "a;b=\xe9",
        "a;b=c d",
        '"a"',
        "a, ;b",
    ],
)
def test_what_is_no_list_of_extensions_is_an_error(header: str) -> None:
    with pytest.raises(ValueError, match="not a list of extensions"):
        deflate.parse_extensions(header)


def test_extensions_are_read_with_their_parameters_in_order() -> None:
    assert deflate.parse_extensions('a; x; y=1; z="2" , b,, c;q') == [
        ("a", [("x", None), ("y", "1"), ("z", "2")]),
        ("b", []),
        ("c", [("q", None)]),
    ]


def test_the_answer_to_a_repeated_offer_is_remembered() -> None:
    deflate.negotiate.cache_clear()
    offer = f"{NAME}; client_max_window_bits"
    assert deflate.negotiate(offer) is deflate.negotiate(offer[:20] + offer[20:])
    assert deflate.negotiate("unknown") is deflate.negotiate("unknown") is None
    for _ in range(2):
        with pytest.raises(ValueError, match="not a list of extensions from byte 18 on"):
            deflate.negotiate(f"{NAME};=")
    for number in range(1000):
        deflate.negotiate(f"{offer}, another-{number}")
    assert deflate.negotiate.cache_info().currsize == deflate.negotiate.cache_info().maxsize == 64
    assert answer(offer) == PLAIN
