"""What /proc tells about the processes of a server: its workers, and which of them holds which connection."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.shared.server import PATIENCE


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started and that have not ended."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in map(int, listed) if is_running(child)]


def is_running(pid: int) -> bool:
    """Return whether a process runs: it exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def client_ports(pid: int, server_port: int) -> set[int]:
    """Return the clients' ports of those connections to `server_port` that process `pid` holds."""
    files = set(open_files(pid))
    ports = set()
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, *facts = row.split()
        if local.endswith(f":{server_port:04X}") and f"socket:[{facts[6]}]" in files:
            ports.add(int(remote.rpartition(":")[2], 16))
    return ports


def open_files(pid: int) -> Iterator[str]:
    """Yield what the file descriptors of a process refer to, as in `socket:[1234]`."""
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            yield os.readlink(file)
        except FileNotFoundError:
            continue  # closed in the meantime


def used_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until `condition()` holds. Fail after `seconds`."""
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"not so in {seconds} seconds: {condition}")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
