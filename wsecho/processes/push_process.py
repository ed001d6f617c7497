"""The process that pushes the metrics of several workers. It accepts no connections, and ends after the last worker."""

import signal
import socket
import struct
from time import monotonic

from wsecho.processes.prefork import Prefork
from wsecho.telemetry.exports import Exports

# Seconds before the first replacement, doubled for each further one, up to a maximum: metrics are not urgent.
_BACK_OFF, _MAX_BACK_OFF = 0.5, 60.0
# The message that stops the process: the seconds that the drain has left.
_STOP = struct.Struct("d")


class PushProcess:
    """What the supervisor knows of the push process, and what the process runs.

    `pid` is 0 while there is no such process. `due` is when to start it, None if it is not to be started.
    """

    def __init__(self, inherited: Prefork) -> None:
        self._inherited = inherited
        self._stop_receiver, self._stop_sender = socket.socketpair()
        # The totals up to which earlier push processes are taken to have pushed; deltas begin here.
        self._exported = inherited.shared_page.totals()
        self._deaths = 0
        self.pid = 0
        self.due: float | None = 0.0

    def started(self, pid: int) -> None:
        """Note that the process runs, as `pid`."""
        self.pid = pid
        self.due = None
        self._inherited.shared_page.worker_table.set_push_pid(pid)

    def ended(self) -> None:
        """Note that the process has died, and when to start the next one.

        What it had exported last is not known, so the deltas of the next one begin at the totals of now.
        """
        self.pid = 0
        self._inherited.shared_page.worker_table.set_push_pid(0)
        self._exported = self._inherited.shared_page.totals()
        self.due = monotonic() + min(_MAX_BACK_OFF, _BACK_OFF * 2**self._deaths)
        self._deaths += 1

    def stop(self, left: float) -> None:
        """Tell the process to export once more and to end; the drain has `left` seconds left."""
        self._stop_sender.send(_STOP.pack(left))

    def close(self) -> None:
        """Close the inherited sockets, in a worker, which does not use them."""
        self._stop_receiver.close()
        self._stop_sender.close()

    def run(self) -> None:
        """Run as the push process until the supervisor sends the stop message or dies."""
        self._stop_sender.close()
        # Service managers and terminals send these signals to every process, but this one must end after all workers.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        exports = Exports(self._inherited.instance_id, self._inherited.log)
        exports.export_log()
        exports.push(self._inherited.shared_page, self._exported)
        message = self._stop_receiver.recv(_STOP.size)
        exports.shutdown(_STOP.unpack(message)[0] if message else 0.0)
