"""Fuzzes what proxies report about their clients: the PROXY header, Forwarded and X-Forwarded-For.

    python fuzz/proxies.py -max_total_time=60

These properties must hold for any bytes:

1. A PROXY header is parsed, or refused with ProxyHeaderError. It is never longer than its limit, and the bytes after it
   do not change the result.
2. The parser asks for no more bytes than the header has, and with that many bytes the header is complete.
3. Whatever a client puts into Forwarded or X-Forwarded-For, the address that a trusted proxy appends is the client's.

All options are libFuzzer's. The fuzzer starts from the valid headers of the tests and writes new inputs to build/.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "build" / "fuzz-proxies"

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["wsecho"]):
    from tests.proxies.test_proxy_header import GOOD
    from tests.proxies.test_trusted_proxies import PROXY
    from tests.shared.requests import request_of
    from wsecho.proxies.forwarded import FORWARDED, X_FORWARDED_FOR
    from wsecho.proxies.proxy_header import LONGEST, ProxyHeaderError, bytes_needed, parse
    from wsecho.proxies.trusted_proxies import TrustedProxies, parse_trusted

TRUSTED = [parse_trusted("10.0.0.0/8"), parse_trusted("::/1")]
CLIENT = ("192.0.2.1",)


def check(data: bytes) -> None:
    """Check all properties for one input."""
    check_header(data)
    text = data.decode("latin-1")
    for field, added in ((FORWARDED, "for=192.0.2.1"), (X_FORWARDED_FOR, "192.0.2.1")):
        proxies = TrustedProxies(TRUSTED, field)
        proxies.client_of(request_of((field, text)), PROXY)
        assert proxies.client_of(request_of((field, f"{text},{added}")), PROXY)[0] == CLIENT, data


def check_header(data: bytes) -> None:
    """Check the properties of the PROXY header."""
    try:
        needed = bytes_needed(data)
        assert 0 < needed <= LONGEST, data
        header = parse(data)
    except ProxyHeaderError:
        return
    assert header.size == needed <= len(data), data
    assert parse(data[:needed]) == parse(data + data) == header, data
    for length in range(needed):
        assert length < bytes_needed(data[:length]) <= needed, data


def main() -> None:
    """Fuzz, starting from the headers of the tests."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, (header, _) in enumerate(GOOD):
        (CORPUS / f"header-{number}").write_bytes(header)
    atheris.Setup([*sys.argv, str(CORPUS)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
