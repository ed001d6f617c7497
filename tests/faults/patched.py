"""Servers in which something fails that cannot be made to fail from outside, or of which something is counted."""

import sys
from pathlib import Path


def patched(change: str) -> list[str]:
    """Return the command that starts the server after the statement `change`."""
    code = (
        f"import os, sys\nfrom wsecho import cli\nfrom wsecho.connections import http_connection, listener\n{change}\n"
    )
    return [sys.executable, "-c", f"{code}sys.exit(cli.main())"]


def counting_accepts(file: Path) -> list[str]:
    """Return the command that starts a server which writes a byte to `file` whenever it looks for connections."""
    return patched(
        f"accept = listener.Listener._accept; counted = os.open({str(file)!r}, os.O_CREAT | os.O_WRONLY)\n"
        "listener.Listener._accept = lambda *arguments: (os.write(counted, b'.'), accept(*arguments))[1]"
    )
