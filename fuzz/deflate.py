"""Fuzz what is compressed: any bytes as the payload of a first message.

    python fuzz/deflate.py -max_total_time=60

What must hold is that both builds of the echo take it for what `tests/shared/deflate_model.py` does: a whole message,
one that ends within a block, or no deflate; and that as many bytes come out of it.

All options are libFuzzer's. It begins with the messages of the tests, and keeps what it finds in build/.
"""

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent
CORPUS = ROOT / "build" / "fuzz-deflate"

sys.path.insert(0, str(ROOT))
with atheris.instrument_imports(include=["wsecho", "tests.shared.deflate_model"]):
    from tests.websocket.test_inflater import MESSAGES, UNFINISHED, Compressor, check_message, final


def main() -> None:
    """Fuzz, with the messages of the tests to begin with."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    short = [message[:500] for message in MESSAGES]
    seeds = [*UNFINISHED.values(), *map(final, short), *(Compressor()(message) for message in short)]
    for number, seed in enumerate(seeds):
        (CORPUS / f"seed-{number}").write_bytes(seed)
    # What one match in some bytes can become takes the model long, and shows nothing that less does not.
    atheris.Setup([sys.argv[0], "-max_len=600", *sys.argv[1:], str(CORPUS)], check_message)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
