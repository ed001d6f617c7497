"""Fuzzes the validation of compressed messages: any bytes are the payload of a connection's first message.

    python fuzz/deflate.py -max_total_time=60

Both codecs must agree with `tests/shared/deflate_model.py` on two results: whether the payload is a complete message,
one that ends inside a deflate block, or invalid; and how many bytes it inflates to.

All options are libFuzzer's. The fuzzer starts from the messages of the tests and writes new inputs to build/.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "build" / "fuzz-deflate"

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["wsecho", "tests.shared.deflate_model"]):
    from tests.shared.compression import MESSAGES, UNFINISHED, Compressor, final
    from tests.websocket.test_inflater import check_message


def main() -> None:
    """Fuzz, starting from the messages of the tests."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    short = [message[:500] for message in MESSAGES]
    seeds = [*UNFINISHED.values(), *map(final, short), *(Compressor()(message) for message in short)]
    for number, seed in enumerate(seeds):
        (CORPUS / f"seed-{number}").write_bytes(seed)
    # A longer input can inflate to so many bytes that the model takes long, and covers nothing new.
    atheris.Setup([sys.argv[0], "-max_len=600", *sys.argv[1:], str(CORPUS)], check_message)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
