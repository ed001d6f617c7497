"""The parent process of several workers: forks them, replaces those that die, and passes signals on to them.

The supervisor accepts no connections. It has no event loop and nothing of OpenTelemetry's SDK, and no thread but the
one that writes its log, which stops before each fork: a process with threads or an event loop cannot fork safely.
"""

import contextlib
import ctypes
import gc
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import NoReturn, Self

from structlog.typing import FilteringBoundLogger

from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.processes import binding, prefork, worker
from wsecho.processes.control import REPORT_SIZE, SUPERVISOR_SIGNALS, SupervisorControl, log_listening, reload
from wsecho.processes.listening_socket import Sockets
from wsecho.processes.prefork import Prefork
from wsecho.processes.push_process import PushProcess
from wsecho.processes.terminal import Terminal, ignores_hangups
from wsecho.telemetry.environment import exporter_names
from wsecho.telemetry.exports import last_export_seconds

# If the processes of one worker die _MAX_DEATHS times within _DEATHS_PERIOD seconds, the server shuts down: another
# replacement would not help.
_MAX_DEATHS = 5
_DEATHS_PERIOD = 30.0
# The first replacement starts at once, the second after this many seconds, each further one after twice the time.
_BACK_OFF = 0.5
# Seconds that the supervisor sleeps after an internal error, because the error may recur at once.
_ERROR_PAUSE = 0.1
# Seconds that a process gets after the end of the drain and of its last exports before it is killed: it may still have
# to write log lines.
_GRACE = structured_log.FLUSH_SECONDS + 0.5

_EXIT_UNCLEAN = 1
_EXIT_WORKERS_DIE = 3

_STOPPING = {signal.SIGTERM, signal.SIGINT}
_HANDLED = {*_STOPPING, signal.SIGHUP, signal.SIGCHLD}
_PR_SET_PDEATHSIG = 1  # prctl(2)


def run(config: Config, workers: int) -> int:
    """Serve with `workers` processes until SIGTERM or SIGINT, and return the exit code.

    Raises OSError, RuntimeError or OptionError with a line for the user when it cannot start.
    """
    inherited = prefork.prepare(config, workers)
    bound = binding.listen(config, workers)
    try:
        with _Inbox() as inbox:
            return _Supervisor(inherited, bound, inbox).supervise()
    finally:
        binding.close(bound)
        structured_log.flush()


class _Inbox:
    """Receives signals, and reports of workers that they accept connections. Keeps what arrives between two waits."""

    def __init__(self) -> None:
        self._signals, self._wakeup = socket.socketpair()
        self._reports, self.report_socket = socket.socketpair()
        for end in (self._signals, self._wakeup, self._reports):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._selector.register(self._reports, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        # The interpreter writes one byte, the signal's number, as soon as a signal arrives that has a handler.
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in _HANDLED - ({signal.SIGHUP} if ignores_hangups() else set()):
            signal.signal(number, lambda number, frame: None)
        return self

    def __exit__(self, *error: object) -> None:
        signal.set_wakeup_fd(-1)
        self.close()
        self.report_socket.close()

    def close(self) -> None:
        """Close the ends that only the supervisor uses. When no process has them open, its workers read end of file."""
        self._selector.close()
        for end in (self._signals, self._wakeup, self._reports):
            end.close()

    def wait(self, seconds: float | None) -> tuple[list[int], list[int]]:
        """Wait for a report or a signal, at most `seconds`; None waits without limit.

        Returns the process ids of the workers that now accept connections, and the numbers of the signals.
        """
        self._selector.select(seconds)
        reports = _read(self._reports)
        starts = range(0, len(reports), REPORT_SIZE)
        return [int.from_bytes(reports[start : start + REPORT_SIZE], "big") for start in starts], list(
            _read(self._signals)
        )


def _read(end: socket.socket) -> bytes:
    with contextlib.suppress(BlockingIOError):
        return end.recv(1 << 16)
    return b""


class _Supervisor:
    """Keeps one worker process running for each row of the counters, and a push process if metrics are pushed."""

    def __init__(self, inherited: Prefork, bound: list[Sockets], inbox: _Inbox) -> None:
        self._inherited = inherited
        self._bound = bound
        self._inbox = inbox
        self._log = inherited.log
        self._worker_table = inherited.shared_page.worker_table
        self._terminal = Terminal()
        self._push = PushProcess(inherited) if exporter_names("metrics") else None
        # The number of the worker, by process id.
        self._running: dict[int, int] = {}
        # Workers to start, and when, in seconds of the monotonic clock.
        self._start_times: dict[int, float] = dict.fromkeys(range(len(bound)), 0.0)
        # When the processes of each worker died, for the last _DEATHS_PERIOD.
        self._deaths: list[deque[float]] = [deque() for _ in bound]
        self._is_listening_logged = False
        self._stopping = False
        # When the drain must have ended, and when the processes that still run are killed.
        self._drain_deadline = 0.0
        self._kill_at: float | None = None
        self._exit_code = 0

    def supervise(self) -> int:
        """Run the workers until the last of them has stopped, and return the exit code."""
        # The objects that exist now live as long as the process. If the garbage collector of a worker visited them, it
        # would write to their memory pages and so copy them into that worker.
        gc.freeze()
        self._start_due_processes()
        while self._running or self._start_times:
            try:
                self._run_once()
            except Exception as error:
                self._recover(error)
        self._end_push()
        return self._exit_code

    def _run_once(self) -> None:
        """Wait for a report, a signal or the time of the next task, and handle what has come."""
        accepting, signals = self._inbox.wait(self._seconds_left())
        self._note_accepting(accepting)
        for number in signals:
            self._on_signal(number)
        self._reap()
        self._start_due_processes()
        self._kill_overdue()

    def _recover(self, error: Exception) -> None:
        """Log an internal error, most likely a lack of memory, and go on: workers end with their supervisor."""
        with contextlib.suppress(Exception):
            self._log.error("unexpected error", exc_info=error)
        if not self._stopping:
            # The error may have come after a dead worker was reaped and before its replacement was scheduled.
            for number in set(range(len(self._bound))) - set(self._running.values()) - self._start_times.keys():
                self._start_times[number] = monotonic() + _BACK_OFF
        time.sleep(_ERROR_PAUSE)

    def _seconds_left(self) -> float | None:
        """Return the seconds until the next task; None if only a report or a signal can bring one."""
        times = [*self._start_times.values(), *([self._kill_at] if self._kill_at else [])]
        if self._push and self._push.due is not None and not self._stopping:
            times.append(self._push.due)
        return max(0.0, min(times) - monotonic()) if times else None

    def _note_accepting(self, pids: list[int]) -> None:
        for pid in pids:
            # The worker may have died after it sent the report.
            if pid in self._running:
                self._worker_table.accepting(self._running[pid])
                if self._is_listening_logged:
                    self._log.info("worker replaced", worker=self._running[pid], pid=pid)
        if not (self._is_listening_logged or self._stopping) and all(state.up for state in self._worker_table.states()):
            self._is_listening_logged = True
            log_listening(self._inherited, self._bound[0], workers=len(self._bound))

    def _on_signal(self, number: int) -> None:
        if number in _STOPPING or (number == signal.SIGHUP and self._terminal.has_hung_up()):
            if self._stopping:
                self._end_drain()
            else:
                self._stop()
        elif number == signal.SIGHUP:
            # The supervisor reloads too, because workers that it starts later inherit its copy.
            reload(self._inherited)
            self._signal_workers(signal.SIGHUP)

    def _stop(self) -> None:
        self._stopping = True
        self._start_times.clear()
        # A worker stops listening by closing its sockets. These copies would keep the port open after that.
        binding.close(self._bound)
        self._drain_deadline = monotonic() + self._inherited.config.drain_timeout
        self._kill_at = self._drain_deadline + last_export_seconds(0.0) + _GRACE
        self._signal_workers(signal.SIGTERM)

    def _end_drain(self) -> None:
        self._drain_deadline = monotonic()
        self._kill_at = self._drain_deadline + last_export_seconds(0.0) + _GRACE
        self._signal_workers(signal.SIGQUIT)

    def _signal_workers(self, number: signal.Signals) -> None:
        for pid in self._running:
            os.kill(pid, number)

    def _kill_overdue(self) -> None:
        if self._kill_at and monotonic() >= self._kill_at:
            self._kill_at = None
            self._log.error("workers did not stop in time", workers=sorted(self._running.values()))
            self._signal_workers(signal.SIGKILL)

    def _reap(self) -> None:
        """Collect the exit status of every child that has ended, and handle the end of workers and the push process.

        As process 1 of a container, the supervisor also reaps processes that it did not start.
        """
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                pid, status = ended
                if pid in self._running:
                    self._on_end(self._running.pop(pid), pid, os.waitstatus_to_exitcode(status))
                elif self._push and pid == self._push.pid:
                    self._push.ended()
                    if not self._stopping:
                        self._log.warning(
                            "push process died", pid=pid, cause=_exit_cause(os.waitstatus_to_exitcode(status))
                        )

    def _on_end(self, number: int, pid: int, exit_code: int) -> None:
        lost = self._inherited.shared_page.worker_ended(number)
        if self._stopping and exit_code == 0:
            return
        self._log.error("worker died", worker=number, pid=pid, cause=_exit_cause(exit_code), lost_connections=lost)
        if self._stopping:
            self._exit_code = self._exit_code or _EXIT_UNCLEAN
        else:
            self._replace(number)

    def _replace(self, number: int) -> None:
        now = monotonic()
        times = self._deaths[number]
        times.append(now)
        while times[0] <= now - _DEATHS_PERIOD:
            times.popleft()
        deaths = len(times)
        if deaths >= _MAX_DEATHS:
            self._log.critical("giving up: workers keep dying", worker=number, deaths=deaths, seconds=_DEATHS_PERIOD)
            self._exit_code = _EXIT_WORKERS_DIE
            self._stop()
        else:
            self._start_times[number] = now + (_BACK_OFF * 2 ** (deaths - 2) if deaths > 1 else 0)

    def _start_due_processes(self) -> None:
        for number, due in list(self._start_times.items()):
            if due <= monotonic():
                del self._start_times[number]
                self._start(number)
        if self._push and self._push.due is not None and self._push.due <= monotonic() and not self._stopping:
            self._start_push(self._push)

    def _start(self, number: int) -> None:
        try:
            pid = self._fork(partial(self._run_worker, number), self._log.bind(worker=number))
        except OSError as error:
            self._log.error("no worker could be started", worker=number, error=error.strerror)
            self._replace(number)
        else:
            self._running[pid] = number
            self._worker_table.started(number, pid)

    def _start_push(self, push: PushProcess) -> None:
        try:
            push.started(self._fork(partial(self._run_push, push), self._log))
        except OSError as error:
            self._log.warning("no push process could be started", error=error.strerror)
            push.ended()

    def _end_push(self) -> None:
        """Let the push process export what the workers counted last, and wait for its end. A signal ends the wait."""
        push = self._push
        if not push or not push.pid:
            return
        left = self._drain_deadline - monotonic()
        push.stop(left)
        deadline = monotonic() + last_export_seconds(left) + _GRACE
        while push.pid and monotonic() < deadline:
            _, signals = self._inbox.wait(deadline - monotonic())
            self._reap()
            if _STOPPING.intersection(signals):
                break
        if push.pid:
            os.kill(push.pid, signal.SIGKILL)

    def _fork(self, task: Callable[[Prefork], None], log: FilteringBoundLogger) -> int:
        """Fork a child that runs `task` and exits, and return its process id. Raises OSError."""
        structured_log.stop_thread()
        # The child inherits the wakeup file descriptor of the inbox. Signals are blocked until the child has reset it,
        # so that no signal to the child is written to the supervisor's inbox.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED | SUPERVISOR_SIGNALS)
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                self._run_child(task, self._inherited._replace(log=log), parent, mask)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _run_child(self, task: Callable[[Prefork], None], inherited: Prefork, parent: int, mask: set[int]) -> NoReturn:
        """Run `task` in a new child, and exit: the child must not return into the supervisor's code."""
        exit_code = _EXIT_UNCLEAN
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask | SUPERVISOR_SIGNALS)
            _die_with(parent)
            self._inbox.close()
            task(inherited)
            exit_code = 0
        except BaseException:
            inherited.log.exception("worker failed")
        finally:
            structured_log.flush()
            os._exit(exit_code)

    def _run_worker(self, number: int, inherited: Prefork) -> None:
        if self._push:
            self._push.close()
        binding.close(self._bound[:number] + self._bound[number + 1 :])
        worker.serve(inherited, number, self._bound[number], SupervisorControl(inherited, self._inbox.report_socket))

    def _run_push(self, push: PushProcess, inherited: Prefork) -> None:
        binding.close(self._bound)
        push.run()


def _exit_cause(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def _die_with(parent: int) -> None:
    """Make the kernel kill this process when process `parent` dies (Linux). Elsewhere the inbox tells workers."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The parent may have died before the call.
        if os.getppid() != parent:
            os._exit(_EXIT_UNCLEAN)
