"""`python3 wsecho.py` starts the server from the package `wsecho` beside this file."""

if __name__ == "__main__":
    import sys

    from wsecho.__main__ import main

    sys.exit(main())
