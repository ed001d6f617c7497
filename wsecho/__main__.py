"""`python3 -m wsecho`, and where every other way to start the server leads to."""

import sys

from wsecho import start


def main() -> int:
    """Run the command and return its exit code."""
    start.begin()
    # Imported late: it takes most of the start, during which signals must end us already.
    from wsecho import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
