"""Put a server through a soak on 127.0.0.1, print the figures, and tell by the exit code whether all passed.

python -m tests.soak [--seconds 600] [--connections 10000]
"""

import argparse
import sys

from tests.soak.phases import Plan, soak


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="of load, in all phases together")
    parser.add_argument("--connections", type=int, default=Plan.connections, help="at a time")
    arguments = parser.parse_args()
    if not 10 <= arguments.seconds <= 24 * 3600 or not 50 <= arguments.connections <= 15_000:
        parser.error("--seconds has to be 10 to 86400, --connections 50 to 15000")
    failures = soak(Plan(arguments.seconds, arguments.connections)).failures(truth_alone=False)
    print("FAIL" if failures else "pass")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
