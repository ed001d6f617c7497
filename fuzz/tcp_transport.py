"""Fuzzes the server's own TCP transport: any sequence of what its protocol and its peer can do.

    python fuzz/tcp_transport.py --seconds 60        run random sequences
    python fuzz/tcp_transport.py --seed 1234         run one of them again

`tests/shared/tcp_lockstep.py` runs each sequence on aiofastnet's transport as well and compares the two. The transport
is C code that nothing instruments, so sequences are random and not guided by coverage. A failure prints its seed.
"""

import argparse
import os
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.shared.tcp_lockstep import check, random_steps  # noqa: E402


def run(seed: int) -> None:
    """Run the sequence of one seed."""
    steps = random_steps(random.Random(seed))
    try:
        check(steps)
    except BaseException:
        print(f"python fuzz/tcp_transport.py --seed {seed}", *steps, sep="\n    ", file=sys.stderr)
        raise


def main() -> None:
    """Run random sequences for some time, or the one that --seed names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        run(arguments.seed)
        return
    seed, count = int.from_bytes(os.urandom(6), "big"), 0
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        run(seed + count)
        count += 1
    print(f"{count} sequences, from --seed {seed}")


if __name__ == "__main__":
    main()
