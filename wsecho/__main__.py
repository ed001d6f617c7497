"""`python3 -m wsecho`, and where every other way to start the server leads to.

This file, and what comes before it, is in the syntax that every Python reads: one that is too old is told so in a line.
"""

import sys

OLDEST_PYTHON = (3, 11)


def main():
    # type: () -> int
    """Run the command and return its exit code, which is also 1 if Python is too old or a dependency is missing."""
    require_python()
    # Imported late: an old Python does not get here.
    from wsecho.processes import start

    start.begin()
    try:
        # Later still: it takes most of the start, which a signal must already end, and it needs the dependencies.
        from wsecho import cli

        return cli.main()
    except ImportError as error:
        if error.name is None:
            # A library says itself why it cannot be used here.
            sys.exit("wsecho: " + str(error) + " (" + sys.executable + ")")
        if error.name.split(".")[0] == "wsecho":
            raise
        remedies = (
            "'make run', or 'pip install -r requirements.txt' in a virtual environment, in the folder of wsecho.py"
        )
        sys.exit("wsecho: " + str(error) + " in " + sys.executable + ": to install what is needed, " + remedies)


def require_python():
    # type: () -> None
    """End the process with a line, and exit code 1, if this Python is too old."""
    if sys.version_info < OLDEST_PYTHON:
        oldest, this = (".".join(map(str, version)) for version in (OLDEST_PYTHON, sys.version_info[:3]))
        found = "and " + sys.executable + " is " + this + " (for make, name one: PYTHON=python3.13)"
        sys.exit("wsecho: Python " + oldest + " or newer is needed, " + found)


if __name__ == "__main__":
    sys.exit(main())
