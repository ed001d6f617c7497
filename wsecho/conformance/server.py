"""The server of a conformance run: a worker with other routes."""

import asyncio
import os

from wsecho.conformance.client_command import ClientCommand
from wsecho.conformance.reports import Reports
from wsecho.conformance.results import Results
from wsecho.conformance.routes import ConformanceRoutes
from wsecho.conformance.session import Sessions
from wsecho.conformance.verdict import Verdict
from wsecho.connections.http_connection import Routes
from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.processes import binding, prefork, worker
from wsecho.processes.control import Shutdown, SignalControl, url_of
from wsecho.processes.listening_socket import Sockets
from wsecho.processes.prefork import Prefork
from wsecho.scenarios.setting import Setting


class ConformanceControl(SignalControl):
    """Prints the address when the server is ready, and runs the client's command if there is one."""

    def __init__(self, inherited: Prefork, results: Results, client: ClientCommand | None) -> None:
        super().__init__(inherited)
        self._results = results
        self._client = client
        self._shutdown: Shutdown | None = None
        self._task: asyncio.Task[None] | None = None
        self._scheme = "wss" if inherited.encryption else "ws"
        # Why the command could not be run.
        self.error: OSError | None = None

    def install_handlers(self, loop: asyncio.AbstractEventLoop, shutdown: Shutdown) -> None:
        """Handle the same signals as a server."""
        self._shutdown = shutdown
        super().install_handlers(loop, shutdown)

    def complete(self) -> None:
        """End the server."""
        if self._shutdown:
            self._shutdown.request()

    def report_accepting(self, sockets: Sockets) -> None:
        """Print the address in one line."""
        url = url_of(self._scheme, sockets.public[0].getsockname())
        print(f"wsecho conformance: {len(self._results.cases)} cases at {url}", flush=True)
        if self._client:
            self._task = asyncio.get_running_loop().create_task(self._run_client(self._client, url))

    async def _run_client(self, client: ClientCommand, url: str) -> None:
        try:
            await client.run_all(self._results.cases, self._results, url, print_verdict)
        except OSError as error:
            self.error = error
        finally:
            self.complete()


def print_verdict(verdict: Verdict) -> None:
    """Print a line on a verdict, and what is wrong below it."""
    print(f"{verdict.behavior:13} {verdict.behavior_close:13} {verdict.case.id:9} {verdict.case.name}", flush=True)
    if not verdict.is_ok:
        print(f"    {verdict.result}\n    {verdict.result_close}", flush=True)


def serve(config: Config, results: Results, reports: Reports, client: ClientCommand | None) -> None:
    """Serve until a signal, a client that demands the end, or the end of the client's command.

    Raises OSError, RuntimeError or OptionError; the text is one line for the user.
    """
    inherited = prefork.prepare(config)
    bound = binding.listen(config)
    control = ConformanceControl(inherited, results, client)

    def make_routes(setting: Setting, others: Routes) -> Routes:
        return ConformanceRoutes(Sessions(setting, results), results, reports, others, control.complete)

    inherited.shared_page.worker_table.started(0, os.getpid())
    try:
        worker.serve(inherited, 0, bound[0], control, make_routes)
    finally:
        binding.close(bound)
        structured_log.flush()
    if control.error:
        raise RuntimeError(f"--client cannot be run: {control.error}")
