"""The parent of several workers: forks them, replaces those that die, passes signals on, and serves nobody itself.

A process forks cleanly as long as it has no threads, no event loop and nothing of OpenTelemetry's SDK. So this one has
none of them, but for the thread that writes its log, which rests meanwhile.
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
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import NoReturn, Self

from structlog.typing import FilteringBoundLogger

from wsecho.logs import structured_log
from wsecho.options.config import Config
from wsecho.processes import binding, prefork, worker
from wsecho.processes.binding import Sockets
from wsecho.processes.control import REPORT_SIZE, SUPERVISORS_SIGNALS, SupervisorControl, announce, reload
from wsecho.processes.prefork import Prefork
from wsecho.processes.push_process import PushProcess
from wsecho.processes.terminal import Terminal, ignores_hangups
from wsecho.telemetry.environment import exporter_names
from wsecho.telemetry.exports import last_export_seconds

# So many deaths of one worker and its replacements in so many seconds are no accident that another one could repair.
_MOST_DEATHS = 5
_DEATHS_WITHIN = 30.0
# The first replacement comes at once, the second after so many seconds, each further one after twice as many.
_BACK_OFF = 0.5
# How long it rests after an error, which may come again and again.
_AFTER_ERROR = 0.1
# What processes get beyond the time of their drain and their last exports before they are killed: the end of their log
# may be late.
_GRACE = structured_log.FLUSH_SECONDS + 0.5

_EXIT_UNCLEAN = 1
_EXIT_WORKERS_DIE = 3

_STOPPING = {signal.SIGTERM, signal.SIGINT}
_HANDLED = {*_STOPPING, signal.SIGHUP, signal.SIGCHLD}
_PR_SET_PDEATHSIG = 1  # prctl(2)


def cores() -> int:
    """Return how many processor cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    """All that reaches the supervisor: signals, and the word of workers that they accept. Nothing of it gets lost."""

    def __init__(self) -> None:
        self._signals, self._wakeup = socket.socketpair()
        self._reports, self.report_to = socket.socketpair()
        for end in (self._signals, self._wakeup, self._reports):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._selector.register(self._reports, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        # The interpreter writes a byte for each signal that has a handler, as soon as it comes.
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        for number in _HANDLED - ({signal.SIGHUP} if ignores_hangups() else set()):
            signal.signal(number, lambda number, frame: None)
        return self

    def __exit__(self, *error: object) -> None:
        signal.set_wakeup_fd(-1)
        self.close()
        self.report_to.close()

    def close(self) -> None:
        """Close what only the supervisor reads. To its workers this is its end."""
        self._selector.close()
        for end in (self._signals, self._wakeup, self._reports):
            end.close()

    def wait(self, seconds: float | None) -> tuple[list[int], list[int]]:
        """Return the processes that have begun to accept, and the signals that came. Waits for one or the other."""
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
    """Keeps one process for each row of the counters."""

    def __init__(self, inherited: Prefork, bound: list[Sockets], inbox: _Inbox) -> None:
        self._inherited = inherited
        self._bound = bound
        self._inbox = inbox
        self._log = inherited.log
        self._worker_table = inherited.shared_page.worker_table
        self._terminal = Terminal()
        self._push = PushProcess(inherited) if exporter_names("metrics") else None
        # Process ids and their workers' numbers.
        self._running: dict[int, int] = {}
        # Workers that are to be started, and when.
        self._due: dict[int, float] = dict.fromkeys(range(len(bound)), 0.0)
        # When each worker's processes died.
        self._deaths: list[deque[float]] = [deque() for _ in bound]
        self._announced = False
        self._stopping = False
        # When the drain must be over, and from when on no worker is waited for any more.
        self._drained_by = 0.0
        self._kill_at: float | None = None
        self._exit_code = 0

    def supervise(self) -> int:
        """Run the workers until the last of them has stopped, and return the exit code."""
        # What exists now stays for good: looking for garbage must not copy it into every worker.
        gc.freeze()
        self._start_due()
        while self._running or self._due:
            try:
                self._look_after_all()
            except Exception as error:
                self._survive(error)
        self._end_push()
        return self._exit_code

    def _look_after_all(self) -> None:
        """Wait until there is something to do, and do it."""
        accepting, signals = self._inbox.wait(self._seconds_left())
        self._note_accepting(accepting)
        for number in signals:
            self._on_signal(number)
        self._bury()
        self._start_due()
        self._kill_the_late()

    def _survive(self, error: Exception) -> None:
        """Go on after any error, most likely an end of memory: if the supervisor ended, so would all workers."""
        with contextlib.suppress(Exception):
            self._log.error("unexpected error", exc_info=error)
        if not self._stopping:
            # One that was found dead just then has still to be replaced.
            for number in set(range(len(self._bound))) - set(self._running.values()) - self._due.keys():
                self._due[number] = monotonic() + _BACK_OFF
        time.sleep(_AFTER_ERROR)

    def _seconds_left(self) -> float | None:
        """Return how long there is nothing to do, None if only a signal could change that."""
        times = [*self._due.values(), *([self._kill_at] if self._kill_at else [])]
        if self._push and self._push.due is not None and not self._stopping:
            times.append(self._push.due)
        return max(0.0, min(times) - monotonic()) if times else None

    def _note_accepting(self, pids: list[int]) -> None:
        for pid in pids:
            # It may have died since.
            if pid in self._running:
                self._worker_table.accepts(self._running[pid])
                if self._announced:
                    self._log.info("worker replaced", worker=self._running[pid], pid=pid)
        if not (self._announced or self._stopping) and all(state.up for state in self._worker_table.states()):
            self._announced = True
            announce(self._inherited, self._bound[0], workers=len(self._bound))

    def _on_signal(self, number: int) -> None:
        if number in _STOPPING or (number == signal.SIGHUP and self._terminal.has_gone()):
            if self._stopping:
                self._hurry()
            else:
                self._stop()
        elif number == signal.SIGHUP:
            # Here too: workers that are started later inherit it.
            reload(self._inherited)
            self._send(signal.SIGHUP)

    def _stop(self) -> None:
        self._stopping = True
        self._due.clear()
        # A worker stops listening when it closes its own; these would keep the port open behind its back.
        binding.close(self._bound)
        self._drained_by = monotonic() + self._inherited.config.drain_timeout
        self._kill_at = self._drained_by + last_export_seconds(0.0) + _GRACE
        self._send(signal.SIGTERM)

    def _hurry(self) -> None:
        self._drained_by = monotonic()
        self._kill_at = self._drained_by + last_export_seconds(0.0) + _GRACE
        self._send(signal.SIGQUIT)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._running:
            os.kill(pid, number)

    def _kill_the_late(self) -> None:
        if self._kill_at and monotonic() >= self._kill_at:
            self._kill_at = None
            self._log.error("workers did not stop in time", workers=sorted(self._running.values()))
            self._send(signal.SIGKILL)

    def _bury(self) -> None:
        """Take note of every process that has ended, also of those that process 1 of a container inherits."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                pid, status = ended
                if pid in self._running:
                    self._on_end(self._running.pop(pid), pid, os.waitstatus_to_exitcode(status))
                elif self._push and pid == self._push.pid:
                    self._push.ended()
                    if not self._stopping:
                        self._log.warning("push process died", pid=pid, cause=_cause(os.waitstatus_to_exitcode(status)))

    def _on_end(self, number: int, pid: int, exit_code: int) -> None:
        lost = self._inherited.shared_page.worker_ended(number)
        if self._stopping and exit_code == 0:
            return
        self._log.error("worker died", worker=number, pid=pid, cause=_cause(exit_code), lost_connections=lost)
        if self._stopping:
            self._exit_code = self._exit_code or _EXIT_UNCLEAN
        else:
            self._replace(number)

    def _replace(self, number: int) -> None:
        now = monotonic()
        times = self._deaths[number]
        times.append(now)
        while times[0] <= now - _DEATHS_WITHIN:
            times.popleft()
        deaths = len(times)
        if deaths >= _MOST_DEATHS:
            self._log.critical("giving up: workers keep dying", worker=number, deaths=deaths, seconds=_DEATHS_WITHIN)
            self._exit_code = _EXIT_WORKERS_DIE
            self._stop()
        else:
            self._due[number] = now + (_BACK_OFF * 2 ** (deaths - 2) if deaths > 1 else 0)

    def _start_due(self) -> None:
        for number, due in list(self._due.items()):
            if due <= monotonic():
                del self._due[number]
                self._start(number)
        if self._push and self._push.due is not None and self._push.due <= monotonic() and not self._stopping:
            self._start_push(self._push)

    def _start(self, number: int) -> None:
        try:
            pid = self._fork(partial(self._work, number), self._log.bind(worker=number))
        except OSError as error:
            self._log.error("no worker could be started", worker=number, error=error.strerror)
            self._replace(number)
        else:
            self._running[pid] = number
            self._worker_table.started(number, pid)

    def _start_push(self, push: PushProcess) -> None:
        try:
            push.started(self._fork(partial(self._push_metrics, push), self._log))
        except OSError as error:
            self._log.warning("no push process could be started", error=error.strerror)
            push.ended()

    def _end_push(self) -> None:
        """Let what the workers counted at last be pushed. A signal ends that at once."""
        push = self._push
        if not push or not push.pid:
            return
        left = self._drained_by - monotonic()
        push.stop(left)
        late = monotonic() + last_export_seconds(left) + _GRACE
        while push.pid and monotonic() < late:
            _, signals = self._inbox.wait(late - monotonic())
            self._bury()
            if _STOPPING.intersection(signals):
                break
        if push.pid:
            os.kill(push.pid, signal.SIGKILL)

    def _fork(self, task: Callable[[Prefork], None], log: FilteringBoundLogger) -> int:
        """Return the process id of a child that does `task` and ends. Raises OSError."""
        structured_log.stop_thread()
        # A signal meant for the child must not end in our inbox, of which it has a copy.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED | SUPERVISORS_SIGNALS)
        parent = os.getpid()
        try:
            pid = os.fork()
            if pid == 0:
                self._become(task, replace(self._inherited, log=log), parent, held)
            return pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def _become(self, task: Callable[[Prefork], None], inherited: Prefork, parent: int, held: set[int]) -> NoReturn:
        """Do `task`, and end the process: nothing of what the parent was about to do is ours to do."""
        exit_code = _EXIT_UNCLEAN
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, held | SUPERVISORS_SIGNALS)
            _die_with(parent)
            self._inbox.close()
            task(inherited)
            exit_code = 0
        except BaseException:
            inherited.log.exception("worker failed")
        finally:
            structured_log.flush()
            os._exit(exit_code)

    def _work(self, number: int, inherited: Prefork) -> None:
        if self._push:
            self._push.close()
        binding.close(self._bound[:number] + self._bound[number + 1 :])
        worker.serve(inherited, number, self._bound[number], SupervisorControl(inherited, self._inbox.report_to))

    def _push_metrics(self, push: PushProcess, inherited: Prefork) -> None:
        binding.close(self._bound)
        push.run()


def _cause(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def _die_with(parent: int) -> None:
    """Let the kernel kill this process when its parent is killed; elsewhere the end of the inbox has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # It may have died just before.
        if os.getppid() != parent:
            os._exit(_EXIT_UNCLEAN)
