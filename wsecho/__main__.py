"""Starts the server: `python3 -m wsecho`, `wsecho` and `python3 wsecho.py` all run `main`.

This file, and what is imported before it, has a syntax that all versions of Python can read, so that a Python that is
too old gets one clear line.
"""

import sys

OLDEST_PYTHON = (3, 11)


def main():
    # type: () -> int
    """Run the command and return its exit code. It is 1 also if Python is too old or a dependency is missing."""
    require_python()
    # Imported here, because an old Python could not read it.
    from wsecho.processes import start

    start.begin()
    try:
        # Imported last: this import takes most of the start, which a signal must be able to end; it needs dependencies.
        from wsecho import cli

        return cli.main()
    except ImportError as error:
        if error.name is None:
            # The message of the library says why it cannot be used here.
            sys.exit("wsecho: " + str(error) + " (" + sys.executable + ")")
        if error.name.split(".")[0] == "wsecho":
            raise
        remedies = (
            "'make run', or 'pip install -r requirements.txt' in a virtual environment, in the folder of wsecho.py"
        )
        sys.exit("wsecho: " + str(error) + " in " + sys.executable + ": to install what is needed, " + remedies)


def require_python():
    # type: () -> None
    """If this Python is too old, print one line and exit with code 1."""
    if sys.version_info < OLDEST_PYTHON:
        oldest, this = (".".join(map(str, version)) for version in (OLDEST_PYTHON, sys.version_info[:3]))
        found = "and " + sys.executable + " is " + this + " (for make, name one: PYTHON=python3.13)"
        sys.exit("wsecho: Python " + oldest + " or newer is needed, " + found)


if __name__ == "__main__":
    sys.exit(main())
