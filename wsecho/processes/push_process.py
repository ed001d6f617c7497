"""The process that pushes the metrics of several workers. It has no listener, and it ends after the last of them."""

import signal
import socket
import struct
from time import monotonic

from wsecho.processes.prefork import Prefork
from wsecho.telemetry.exports import Exports

# Seconds before the first replacement, doubled for each further one, up to the most: nobody waits for metrics.
_BACK_OFF, _MOST_BACK_OFF = 0.5, 60.0
# An order to stop is what the drain has left, in seconds.
_ORDER = struct.Struct("d")


class PushProcess:
    """What a supervisor knows of it: `pid`, 0 while there is none, and when it is `due` to be started, if ever."""

    def __init__(self, inherited: Prefork) -> None:
        self._inherited = inherited
        self._orders, self._to_orders = socket.socketpair()
        # What counts as pushed by those before.
        self._exported = inherited.shared_page.totals()
        self._deaths = 0
        self.pid = 0
        self.due: float | None = 0.0

    def started(self, pid: int) -> None:
        """It runs."""
        self.pid = pid
        self.due = None
        self._inherited.shared_page.worker_table.pushes(pid)

    def ended(self) -> None:
        """It has died, and what it knew with it: the next one goes on from here."""
        self.pid = 0
        self._inherited.shared_page.worker_table.pushes(0)
        self._exported = self._inherited.shared_page.totals()
        self.due = monotonic() + min(_MOST_BACK_OFF, _BACK_OFF * 2**self._deaths)
        self._deaths += 1

    def stop(self, left: float) -> None:
        """Let it push for the last time; the drain has `left` seconds left."""
        self._to_orders.send(_ORDER.pack(left))

    def close(self) -> None:
        """Leave it to others: a worker has no part in it."""
        self._orders.close()
        self._to_orders.close()

    def run(self) -> None:
        """Be it, until the order to stop comes or there is nobody left to give it."""
        self._to_orders.close()
        # Service managers and terminals send these to every process. This one waits for all others.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            signal.signal(number, signal.SIG_IGN)
        exports = Exports(self._inherited.instance_id, self._inherited.log)
        exports.log_lines()
        exports.push(self._inherited.shared_page, self._exported)
        order = self._orders.recv(_ORDER.size)
        exports.shutdown(_ORDER.unpack(order)[0] if order else 0.0)
