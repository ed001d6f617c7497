"""Two hosts on one machine: network namespaces with a cable between them that can be cut. Needs root on Linux."""

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.shared.raw import RawConnection
from tests.shared.server import PATIENCE

CLONE_NEWNET = 0x40000000  # setns(2)
SERVER_ADDRESS, CLIENT_ADDRESS = "10.99.0.1", "10.99.0.2"


def command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)


class Host:
    """A namespace. What runs in it sees its network only; sockets stay in the one in which they were made."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, *words: str) -> None:
        """Run a command here."""
        command("ip", "netns", "exec", self.name, *words)

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function here: in a thread of its own, and so are all threads and processes that it starts."""
        with ThreadPoolExecutor(1, initializer=self._enter) as threads:
            return threads.submit(function).result()

    def _enter(self) -> None:
        with open(Path("/run/netns") / self.name) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def two_hosts() -> Iterator[tuple[Host, Host]]:
    """The server's host and the client's; nothing of them is left."""
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("iptables"):
        pytest.skip("needs root, ip and iptables for network namespaces")
    hosts = Host(f"wsecho-server-{os.getpid()}"), Host(f"wsecho-client-{os.getpid()}")
    made = []
    try:
        for host in hosts:
            command("ip", "netns", "add", host.name)
            made.append(host)
            host.run("ip", "link", "set", "lo", "up")
        server, client = hosts
        server.run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", client.name)
        for host, address in ((server, SERVER_ADDRESS), (client, CLIENT_ADDRESS)):
            host.run("ip", "address", "add", f"{address}/24", "dev", "cable")
            host.run("ip", "link", "set", "cable", "up")
        yield server, client
    finally:
        for host in made:
            command("ip", "netns", "delete", host.name)


class RemoteConnection(RawConnection):
    """A connection to the server's host from the one that it is made on."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((SERVER_ADDRESS, port), timeout=PATIENCE)
