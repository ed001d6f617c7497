"""A server whose standard output is a terminal."""

import os
import pty
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from tests.shared.commands import LOCAL, WSECHO
from tests.shared.server import PATIENCE, started


@contextmanager
def watched(*options: str, **environment: str) -> Iterator[Callable[[str], str]]:
    """Run a server on a terminal. Yield a function that waits for a line with a text and returns what the terminal has
    shown.
    """
    terminal, its_end = pty.openpty()
    variables = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    command = [*WSECHO, *LOCAL, *options]
    with (
        open(terminal, "rb", buffering=0) as screen,
        started(command, stdout=its_end, env=variables | environment) as process,
    ):
        os.close(its_end)
        text = b""

        def shown_with(awaited: str) -> str:
            nonlocal text
            while awaited.encode() not in text or not text.endswith(b"\n"):
                text += read_some(screen)
            return text.decode().replace("\r\n", "\n")

        yield shown_with
        process.send_signal(signal.SIGTERM)
        shown_with("stopped")
        assert process.wait(PATIENCE) == 0


def read_some(stream: IO[bytes]) -> bytes:
    """Return the next bytes, at most 4 KiB."""
    readable, _, _ = select.select([stream], [], [], PATIENCE)
    assert readable, "nothing came in time"
    return stream.read(4096)
