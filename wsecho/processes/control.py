"""Makes a worker shut down or reload its files, when a signal or its supervisor demands it.

The log lines `listening` and `reloaded`, of a single worker and of a supervisor, are written here too.
"""

import asyncio
import os
import signal
import socket
from functools import partial
from typing import Any, Protocol

from wsecho.connections.registry import Connections
from wsecho.http.addresses import ALL, ALL_OF_IPV4
from wsecho.logs import structured_log
from wsecho.processes.listening_socket import Sockets
from wsecho.processes.prefork import Prefork
from wsecho.processes.terminal import Terminal, ignores_hangups

# The signals that a supervisor sends to its workers. A new worker blocks them until it has installed its handlers.
SUPERVISOR_SIGNALS = {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP}
# Bytes of a report that a worker sends to its supervisor: the process id of a worker that accepts connections.
REPORT_SIZE = 8


class Shutdown:
    """The shutdown of a worker: not requested, requested, or requested without waiting for clients."""

    def __init__(self, connections: Connections) -> None:
        self.requested = asyncio.Event()
        self.is_immediate = False
        self._connections = connections

    def request(self) -> None:
        """Request a graceful shutdown: the worker begins to drain."""
        self.requested.set()

    def request_immediate(self) -> None:
        """End the drain now, or request a shutdown without one: the connections that are open are aborted."""
        self.is_immediate = True
        self._connections.end_drain()
        self.requested.set()

    def request_or_end_drain(self) -> None:
        """Request a graceful shutdown. If one was requested before, end its drain now."""
        if self.requested.is_set():
            self.request_immediate()
        self.request()


class Control(Protocol):
    """Connects a worker to whatever tells it to stop or reload.

    `is_only_worker` tells whether the worker is the whole server: it has no supervisor.
    """

    is_only_worker: bool

    def install_handlers(self, loop: asyncio.AbstractEventLoop, shutdown: Shutdown) -> None:
        """From now on, call `shutdown` or reload when a signal or the supervisor demands it."""

    def report_accepting(self, sockets: Sockets) -> None:
        """Report that the worker accepts connections on `sockets`."""


class SignalControl:
    """Control of a worker without a supervisor.

    SIGTERM and SIGINT shut it down gracefully; a second one ends the drain at once. SIGHUP reloads, or acts like
    SIGTERM if the terminal has hung up.
    """

    is_only_worker = True

    def __init__(self, inherited: Prefork) -> None:
        self._inherited = inherited
        self._terminal = Terminal()

    def install_handlers(self, loop: asyncio.AbstractEventLoop, shutdown: Shutdown) -> None:
        """Handle SIGTERM, SIGINT and, unless it is ignored, SIGHUP."""
        loop.add_signal_handler(signal.SIGTERM, shutdown.request_or_end_drain)
        loop.add_signal_handler(signal.SIGINT, shutdown.request_or_end_drain)
        if not ignores_hangups():
            loop.add_signal_handler(signal.SIGHUP, self._on_hangup, shutdown)

    def report_accepting(self, sockets: Sockets) -> None:
        """Enter it in the worker table and log it."""
        self._inherited.shared_page.worker_table.accepting(0)
        log_listening(self._inherited, sockets)

    def _on_hangup(self, shutdown: Shutdown) -> None:
        if self._terminal.has_hung_up():
            shutdown.request_or_end_drain()
        else:
            reload(self._inherited)


class SupervisorControl:
    """Control of a worker that a supervisor started.

    SIGTERM starts a graceful shutdown, and further SIGTERMs change nothing: a service manager sends SIGTERM to every
    process, and the supervisor passes it on, so a worker can get two that mean one. SIGQUIT ends the drain. A terminal
    sends SIGINT to every process; workers ignore it, because the supervisor handles it. The death of the supervisor
    closes the other end of `supervisor`, which ends the worker without waiting for clients.
    """

    is_only_worker = False

    def __init__(self, inherited: Prefork, supervisor: socket.socket) -> None:
        self._inherited = inherited
        self._supervisor = supervisor

    def install_handlers(self, loop: asyncio.AbstractEventLoop, shutdown: Shutdown) -> None:
        """Handle the supervisor's signals, including those that arrived while they were blocked, and its death."""
        loop.add_signal_handler(signal.SIGTERM, shutdown.request)
        loop.add_signal_handler(signal.SIGQUIT, shutdown.request_immediate)
        if not ignores_hangups():
            loop.add_signal_handler(signal.SIGHUP, partial(reload, self._inherited))
        loop.add_reader(self._supervisor, shutdown.request_immediate)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SUPERVISOR_SIGNALS)

    def report_accepting(self, sockets: Sockets) -> None:
        """Send the process id of this worker to the supervisor."""
        self._supervisor.send(os.getpid().to_bytes(REPORT_SIZE, "big"))


def log_listening(inherited: Prefork, sockets: Sockets, **fields: Any) -> None:
    """Log that the server accepts connections, on which addresses, with the further `fields`.

    If the log goes to a terminal, also print the URLs to try and how to stop the server.
    """
    if inherited.config.public and not sockets.admin and inherited.access.policy.metrics is None:
        inherited.log.warning("anybody can read the metrics", remedy="set --admin-port, or --metrics-auth with a token")
    secure = "s" if inherited.encryption else ""
    public = sockets.public[0].getsockname()
    admin = sockets.admin[0].getsockname() if sockets.admin else None
    url = url_of(f"http{secure}", public)
    address = dict(zip(("host", "port"), public[:2], strict=True)) if isinstance(public, tuple) else {}
    if admin:
        fields["admin_port"] = admin[1] if isinstance(admin, tuple) else url_of("http", admin)
    inherited.log.info("listening", url=url, **address, codec=inherited.codec.name, **fields)
    is_debug = inherited.config.log_level == "debug"
    structured_log.print_hints(
        f"    test client   {url}",
        f"    WebSocket     {url_of(f'ws{secure}', public)}",
        f"    metrics       {url_of('http', admin) if admin else url}/metrics",
        "    stop          Ctrl+C; a second time to stop at once",
        f"    connections   {'a line below when each opens or closes' if is_debug else '--log-level debug shows each'}",
    )


def url_of(scheme: str, address: tuple[Any, ...] | str | bytes) -> str:
    """Return the URL of a listening socket.

    The host is localhost if the socket listens on all addresses. A Unix-domain socket gets `unix:` and its path; the
    path of an abstract socket begins with `@`, as systemd writes it.
    """
    if not isinstance(address, tuple):
        return f"unix:{os.fsdecode(address).replace(chr(0), '@', 1)}"
    host, port = address[:2]
    if host in (ALL, ALL_OF_IPV4):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def reload(inherited: Prefork) -> None:
    """Reload all files that can be reloaded, and log the result. What fails to load stays as it was."""
    log = inherited.log
    failed = False
    for reload_part in inherited.reloads:
        try:
            reload_part()
        except (OSError, ValueError) as error:
            log.error("not reloaded", error=inherited.config.with_sources(str(error)))
            failed = True
        except Exception:
            log.exception("not reloaded")
            failed = True
    if not failed:
        log.info("reloaded")
