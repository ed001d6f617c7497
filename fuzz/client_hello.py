"""Fuzzes the parsing of a ClientHello, of the Python source and of what is compiled from it.

    python fuzz/client_hello.py -max_total_time=60

These properties must hold for any bytes:

1. Nothing is raised, and both give the same results.
2. More bytes are asked for at most twice, for the header and the rest of a record, and never more than the longest
   record has.
3. What follows the ClientHello does not change what is read from it.

All options are libFuzzer's. The fuzzer starts from what OpenSSL writes and keeps new inputs in build/.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "build" / "fuzz-client-hello"

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["wsecho"]):
    from tests.tls.test_client_hello import NOTHING, bytes_needed, parse, written_by_openssl
    from wsecho.tls.client_hello import LONGEST


def check(data: bytes) -> None:
    """Check all properties for one input."""
    arrived = data
    for _ in range(2):
        needed = bytes_needed(arrived)
        assert needed <= max(LONGEST, len(arrived)), data
        arrived = arrived.ljust(needed, b"\0")
    assert bytes_needed(arrived) <= len(arrived), data
    parsed = parse(data)
    if parsed != NOTHING:
        assert parse(data + b"more") == parsed, data


def main() -> None:
    """Fuzz, starting from what OpenSSL writes."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, protocols in enumerate(([], ["h2", "http/1.1"])):
        (CORPUS / f"hello-{number}").write_bytes(written_by_openssl("echo.example", protocols))
    atheris.Setup([*sys.argv, str(CORPUS)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
