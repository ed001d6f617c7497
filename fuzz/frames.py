"""Fuzzes the echo: any bytes, split anywhere, under any limits, with or without a Close frame by the server.

    python fuzz/frames.py -max_total_time=60 fuzz/corpus/frames    fuzz, starting from the seeds and the folder's files
    python fuzz/frames.py --fold fuzz/corpus/frames                add inputs to the seeds that cover something new

`tests/shared/lockstep.py` checks these properties: after every read, the compiled codec, the Python codec and the model
agree; the result does not depend on how the bytes are split; no more is held back than a short frame. Coverage is
measured in the Python codec, whose bytecode atheris instruments. All other options are libFuzzer's.

The seeds are in `fuzz/corpus/frames.txt`, one per line: a name, a space, the input. In an input, the backslash and
every byte that is not a visible ASCII character are written \\xNN.
"""

import hashlib
import importlib
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parents[1]
SEEDS = ROOT / "fuzz" / "corpus" / "frames.txt"
INSTRUMENTED = ("wsecho.websocket.echo", "wsecho.websocket.receive_buffer")

# The values that the first bytes of an input select.
BUFFER_SIZES = (1, 2, 7, 61, 256, 4096, 1 << 16)
HOLD_LIMITS = (0, 1, 64, 125, 1000, 1 << 14)
MESSAGE_LIMITS = (125, 1000, 1 << 16, 1 << 17)
SERVER_CLOSE = (1001, b"going away")


@dataclass(frozen=True)
class Case:
    """One connection: its limits, the client's data, where it is split, and after how many bytes the server closes."""

    data: bytes
    cuts: tuple[int, ...] = ()
    close_at: int | None = None
    size: int = 1 << 16
    hold_limit: int = 1 << 14
    max_message_size: int = 1 << 16


def decode(source: bytes) -> Case:
    """Return the case that an input of the fuzzer stands for. Every input is valid.

    Three bytes select the limits. Two bytes are the position of the server's Close frame; 0xFFFF: none. One byte is the
    number of cuts, modulo 16, each of which has two bytes. The rest is the client's data. Positions are taken modulo
    its length plus one.
    """
    head = source[:6].ljust(6, b"\0")
    cut_count = head[5] % 16
    pairs = source[6 : 6 + 2 * cut_count]
    data = source[6 + 2 * cut_count :]
    positions = [int.from_bytes(pairs[index : index + 2], "big") % (len(data) + 1) for index in range(0, len(pairs), 2)]
    close_at = int.from_bytes(head[3:5], "big")
    return Case(
        data=data,
        cuts=tuple(positions),
        close_at=None if close_at == 0xFFFF else close_at % (len(data) + 1),
        size=BUFFER_SIZES[head[0] % len(BUFFER_SIZES)],
        hold_limit=HOLD_LIMITS[head[1] % len(HOLD_LIMITS)],
        max_message_size=MESSAGE_LIMITS[head[2] % len(MESSAGE_LIMITS)],
    )


def encode(case: Case) -> bytes:
    """Return the input that `decode` reads as `case`."""
    close_at = 0xFFFF if case.close_at is None else case.close_at
    limits = (
        BUFFER_SIZES.index(case.size),
        HOLD_LIMITS.index(case.hold_limit),
        MESSAGE_LIMITS.index(case.max_message_size),
    )
    cuts = b"".join(position.to_bytes(2, "big") for position in case.cuts)
    return bytes(limits) + close_at.to_bytes(2, "big") + bytes((len(case.cuts),)) + cuts + case.data


def check(case: Case) -> None:
    """Run `case`. Raises AssertionError if a property does not hold."""
    # Imported here, because atheris instruments only modules that are imported after it.
    from tests.shared.lockstep import Lockstep

    lockstep = Lockstep(size=case.size, hold_limit=case.hold_limit, max_message_size=case.max_message_size)
    ends = sorted({*case.cuts, len(case.data), *([] if case.close_at is None else [case.close_at])})
    start = 0
    for end in ends:
        if end > start:
            lockstep.take(case.data[start:end])
        if end == case.close_at:
            lockstep.take(SERVER_CLOSE)
        start = end
    lockstep.finish()


def escape(source: bytes) -> str:
    """Return an input as one word of visible ASCII characters."""
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in source)


def unescape(word: str) -> bytes:
    """Return the input that `escape` has turned into `word`."""
    return word.encode("ascii").decode("unicode_escape").encode("latin-1")


def read_seeds() -> dict[str, bytes]:
    """Return the committed inputs by name."""
    lines = (line.split() for line in SEEDS.read_text().splitlines() if line and not line.startswith("#"))
    return {name: unescape(word) for name, word in lines}


def expand_seeds(folder: Path) -> None:
    """Write each seed to a file in `folder`, as libFuzzer expects them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in read_seeds().items():
        (folder / name).write_bytes(source)


def features(source: bytes) -> set[tuple[object, int]]:
    """Run an input. Return the steps from line to line of the Python codec's echo, each with its rough number."""
    files = {importlib.import_module(module).__file__ for module in INSTRUMENTED}
    counts: Counter[object] = Counter()

    def enter(frame: FrameType, event: str, argument: object) -> Callable[..., object] | None:
        if frame.f_code.co_filename not in files:
            return None
        previous = 0

        def step(frame: FrameType, event: str, argument: object) -> Callable[..., object]:
            nonlocal previous
            counts[frame.f_code.co_filename, previous, frame.f_lineno] += 1
            previous = frame.f_lineno
            return step

        return step(frame, event, argument)

    sys.settrace(enter)
    try:
        check(decode(source))
    finally:
        sys.settrace(None)
    return {(lines, count.bit_length()) for lines, count in counts.items()}


def fold(folder: Path) -> None:
    """Add those inputs in `folder` to the seeds that cover something new, the shortest first."""
    seeds = set(read_seeds().values())
    covered = set().union(*map(features, seeds))
    found = {path.read_bytes() for path in folder.iterdir()} - seeds
    with SEEDS.open("a") as file:
        for source in sorted(found, key=lambda source: (len(source), source)):
            if not features(source) <= covered:
                covered |= features(source)
                file.write(f"found-{hashlib.sha256(source).hexdigest()[:8]} {escape(source)}\n")


def main(arguments: list[str]) -> None:
    """Fuzz, or add inputs to the seeds with --fold."""
    sys.path.insert(0, str(ROOT))
    if arguments[:1] == ["--fold"]:
        fold(Path(arguments[1]))
        return
    import atheris

    for folder in [argument for argument in arguments if not argument.startswith("-")][:1]:
        expand_seeds(Path(folder))

    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        for module in INSTRUMENTED:
            importlib.import_module(module)
    atheris.Setup(
        [sys.argv[0], f"-artifact_prefix={ROOT}/build/fuzz-", *arguments], lambda source: check(decode(source))
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
