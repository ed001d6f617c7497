"""`python3 -m wsecho`."""

import sys

from wsecho.cli import main

if __name__ == "__main__":
    sys.exit(main())
