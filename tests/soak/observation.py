"""What the operating system and the metrics tell of the server that is under load."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from tests.shared.memory import resident_memory
from tests.shared.processes import children, wait_until
from tests.shared.server import RunningServer

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20


@dataclass
class Use:
    """Processor time as a part of one core, over some seconds."""

    seconds: float = 0.0
    cores: float = 0.0


class Observed:
    """A server and its workers."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server

    def processes(self) -> list[int]:
        return [self.server.pid, *children(self.server.pid)]

    def memory(self) -> int:
        """Return the resident memory of all processes in bytes."""
        return sum(map(resident_memory, self.processes()))

    def descriptors(self) -> int:
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.processes())

    def metric(self, name: str) -> float:
        return self.server.metrics().get(name, 0.0)

    def wait_for_connections(self, count: int, seconds: float) -> None:
        """Wait until so many WebSockets are open."""
        wait_until(lambda: self.metric("websocket_active_connections") == count, seconds)

    def left_over(self, before: int) -> int:
        """Wait for the end of what is ending, then return by how many descriptors there are more than before."""
        # The connection of the last look at the metrics may be one of them.
        try:
            wait_until(lambda: self.descriptors() <= before + 1, 30)
        except AssertionError:
            return self.descriptors() - before
        return 0

    @contextmanager
    def use(self) -> Iterator[Use]:
        """Measure the processor time of all processes meanwhile."""
        use, began, before = Use(), monotonic(), self._processor_seconds()
        yield use
        use.seconds = monotonic() - began
        use.cores = (self._processor_seconds() - before) / use.seconds

    def _processor_seconds(self) -> float:
        return sum(map(_processor_seconds, self.processes()))


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
