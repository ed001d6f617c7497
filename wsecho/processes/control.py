"""What tells a worker to stop or to load again: signals, if it is alone, or else its supervisor."""

import asyncio
import os
import signal
import socket
from functools import partial
from typing import Any, Protocol

from wsecho.connections.registry import Connections
from wsecho.http.addresses import ALL, ALL_OF_IPV4
from wsecho.logs import structured_log
from wsecho.processes.binding import Sockets
from wsecho.processes.prefork import Prefork
from wsecho.processes.terminal import Terminal, ignores_hangups

# What a supervisor sends. It is held back in a new worker until that can obey.
SUPERVISORS_SIGNALS = {signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP}


class Stop:
    """A worker's end: not asked for, asked for, or at once."""

    def __init__(self, connections: Connections) -> None:
        self.asked = asyncio.Event()
        self.hurried = False
        self._connections = connections

    def ask(self) -> None:
        """Begin to drain."""
        self.asked.set()

    def at_once(self) -> None:
        """Cut off whoever is left."""
        self.hurried = True
        self._connections.end_drain()
        self.asked.set()

    def ask_again(self) -> None:
        """Begin to drain, the first time; the second time, end it."""
        if self.asked.is_set():
            self.at_once()
        self.ask()


class Control(Protocol):
    """Where a worker's orders come from. `is_alone` tells that it is the whole server."""

    is_alone: bool

    def obey(self, loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        """Listen to orders from now on."""

    def accepts(self, sockets: Sockets) -> None:
        """The worker takes connections."""


class SignalControl:
    """Orders of a worker without supervisor: SIGTERM and SIGINT stop it, a second one at once; SIGHUP loads again."""

    is_alone = True

    def __init__(self, inherited: Prefork) -> None:
        self._inherited = inherited
        self._terminal = Terminal()

    def obey(self, loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        """Handle the signals."""
        loop.add_signal_handler(signal.SIGTERM, stop.ask_again)
        loop.add_signal_handler(signal.SIGINT, stop.ask_again)
        if not ignores_hangups():
            loop.add_signal_handler(signal.SIGHUP, self._on_hangup, stop)

    def accepts(self, sockets: Sockets) -> None:
        """Say so."""
        self._inherited.shared_page.worker_table.accepts(0)
        announce(self._inherited, sockets)

    def _on_hangup(self, stop: Stop) -> None:
        if self._terminal.has_gone():
            stop.ask_again()
        else:
            reload(self._inherited)


class SupervisorControl:
    """Orders of a worker that a supervisor started.

    SIGTERM drains, however often it comes: service managers send it to every process, the supervisor passes it on, and
    that is no second one. SIGQUIT ends the drain. SIGINT, which a terminal sends to every process, is the supervisor's
    to pass on. Its death, at which `supervisor` ends, ends everything.
    """

    is_alone = False

    def __init__(self, inherited: Prefork, supervisor: socket.socket) -> None:
        self._inherited = inherited
        self._supervisor = supervisor

    def obey(self, loop: asyncio.AbstractEventLoop, stop: Stop) -> None:
        """Handle the signals, those first that came before."""
        loop.add_signal_handler(signal.SIGTERM, stop.ask)
        loop.add_signal_handler(signal.SIGQUIT, stop.at_once)
        if not ignores_hangups():
            loop.add_signal_handler(signal.SIGHUP, partial(reload, self._inherited))
        loop.add_reader(self._supervisor, stop.at_once)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SUPERVISORS_SIGNALS)

    def accepts(self, sockets: Sockets) -> None:
        """Tell the supervisor which process does."""
        self._supervisor.send(os.getpid().to_bytes(REPORT_SIZE, "big"))


# A report is the process id of a worker that takes connections.
REPORT_SIZE = 8


def announce(inherited: Prefork, sockets: Sockets, **facts: Any) -> None:
    """Log that the server takes connections, and where; tell whoever watches a terminal what there is to do."""
    if inherited.config.public and not sockets.admin and inherited.access.policy.metrics is None:
        inherited.log.warning("anybody can read the metrics", remedy="--admin-port, or --metrics-auth with a token")
    secure = "s" if inherited.encryption else ""
    public = sockets.public[0].getsockname()
    admin = sockets.admin[0].getsockname() if sockets.admin else None
    url = _url(f"http{secure}", public)
    place = dict(zip(("host", "port"), public[:2], strict=True)) if isinstance(public, tuple) else {}
    if admin:
        facts["admin_port"] = admin[1] if isinstance(admin, tuple) else _url("http", admin)
    inherited.log.info("listening", url=url, **place, codec=inherited.codec.name, **facts)
    sees_all = inherited.config.log_level == "debug"
    structured_log.print_hints(
        f"    test client   {url}",
        f"    WebSocket     {_url(f'ws{secure}', public)}",
        f"    metrics       {_url('http', admin) if admin else url}/metrics",
        "    stop          Ctrl+C, and again to wait for nobody",
        f"    connections   {'one line below as each comes and goes' if sees_all else '--log-level debug shows each'}",
    )


def _url(scheme: str, address: tuple[Any, ...] | str | bytes) -> str:
    """Return the URL of a listening socket: localhost where it listens on all addresses; `unix:` and the path of a
    Unix-domain socket, which begins with `@` where it is abstract, as systemd writes it.
    """
    if not isinstance(address, tuple):
        return f"unix:{os.fsdecode(address).replace(chr(0), '@', 1)}"
    host, port = address[:2]
    if host in (ALL, ALL_OF_IPV4):
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def reload(inherited: Prefork) -> None:
    """Load everything again that can be; what cannot be loaded stays as it was."""
    log = inherited.log
    failed = False
    for load in inherited.reloads:
        try:
            load()
        except (OSError, ValueError) as error:
            log.error("not reloaded", error=inherited.config.with_sources(str(error)))
            failed = True
        except Exception:
            log.exception("not reloaded")
            failed = True
    if not failed:
        log.info("reloaded")
