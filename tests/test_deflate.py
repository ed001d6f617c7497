"""permessage-deflate in the handshake: the full table of offers and answers (RFC 7692 section 7)."""

import itertools

import pytest

from wsecho import deflate
from wsecho.deflate import Agreement

NAME = "permessage-deflate"
PLAIN = (NAME, 15, True)
NO_CONTEXT = (f"{NAME}; client_no_context_takeover", 15, False)
NEITHER_CONTEXT = (f"{NAME}; server_no_context_takeover; client_no_context_takeover", 15, False)
DECLINED = None


def answer(header: str) -> tuple[str, int, bool] | None:
    agreement = deflate.agree(deflate.parse_extensions(header))
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
        (f"{NAME}; server_no_context_takeover", NEITHER_CONTEXT),
        (f"{NAME}; client_no_context_takeover; server_no_context_takeover", NEITHER_CONTEXT),
        (f'{NAME}; server_max_window_bits="10"; client_max_window_bits',
         (f"{NAME}; server_max_window_bits=10; client_max_window_bits=10", 10, True)),
        # Several offers: the first that can be kept.
        (f"{NAME}; server_max_window_bits=10, {NAME}", PLAIN),
        (f"{NAME}; client_no_context_takeover, {NAME}", NO_CONTEXT),
        (f"foo; bar=baz, {NAME}; unknown, {NAME}; client_max_window_bits", PLAIN),
        (f", ,{NAME},", PLAIN),
        # What declines an offer (section 7.1: unknown, repeated, or with a value that is not allowed).
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


@pytest.mark.parametrize("server_no_context", [False, True])
@pytest.mark.parametrize("client_no_context", [False, True])
def test_every_combination_is_symmetrical_or_declined(server_no_context: bool, client_no_context: bool) -> None:
    """An answer must let the client read with the window and the context that it writes with."""
    for server_bits, client_bits in itertools.product(SERVER_BITS, CLIENT_BITS):
        parameters = [NAME]
        parameters += ["server_no_context_takeover"] * server_no_context
        parameters += ["client_no_context_takeover"] * client_no_context
        if server_bits:
            parameters.append(f"server_max_window_bits={server_bits}")
        if client_bits != "absent":
            parameters.append(f"client_max_window_bits={client_bits}" if client_bits else "client_max_window_bits")
        agreement = deflate.agree(deflate.parse_extensions("; ".join(parameters)))
        writes_with = client_bits if isinstance(client_bits, int) else 15
        can_be_told = client_bits != "absent"
        keepable = server_bits != 8 and (can_be_told or (server_bits or 15) >= writes_with)
        assert (agreement is not None) == keepable, parameters
        if agreement:
            check_symmetry(agreement, server_bits, writes_with, can_be_told, server_no_context)


def check_symmetry(
    agreement: Agreement, server_bits: int | None, writes_with: int, can_be_told: bool, server_no_context: bool
) -> None:
    (name, parameters), *others = deflate.parse_extensions(agreement.header)
    answered = dict(parameters)
    assert (name, others) == (NAME, [])
    # RFC 7692 section 7.1.2.1: what the client asks of the server's window must be answered, and kept.
    assert ("server_max_window_bits" in answered) == (server_bits is not None)
    reads_with = int(answered.get("server_max_window_bits") or 15)
    assert reads_with <= (server_bits or 15)
    # Section 7.1.2.2: the client is told about its window only if it offered to be.
    if told := answered.get("client_max_window_bits"):
        assert can_be_told
        writes_with = min(writes_with, int(told))
    assert writes_with <= reads_with
    assert agreement.window_bits == writes_with
    # Section 7.1.1: what the client asks of our context must be kept, so its own must be given up too.
    if server_no_context:
        assert {"server_no_context_takeover", "client_no_context_takeover"} <= answered.keys()
    assert agreement.context_takeover == ("client_no_context_takeover" not in answered)


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
