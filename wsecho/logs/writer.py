"""Writes log lines with a bounded queue and a thread, so that logging never waits for the reader of the log."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

# The most lines in the queue. `fields` keeps a line below 4 KiB; usually it has 0.3 KiB.
MAX_LINES = 4096
# pipe(7): a write of at most so many bytes is never interleaved with a write of another process.
ATOMIC_WRITE = select.PIPE_BUF
# Time until writing is tried again after a failure.
_RETRY_SECONDS = 1.0


class LogWriter:
    """Accepts lines from any thread. It never raises, blocks or logs.

    A line is lost if the queue is full or if it cannot be written. `dropped` is called with the number of lost lines,
    in the thread that loses them. After a loss, further lines are lost too until all queued lines and `notice(lost)`,
    a line with the number of lost lines, are written. So the notice stands at the place where the lines are missing.
    `failed` is called in the writer thread for each other error in it. The thread goes on after every error.

    The first line starts the thread, so every forked process has its own. `stop_thread` ends it until the next line,
    so that a process can fork while it has no other thread.
    """

    def __init__(self, descriptor: int, notice: Callable[[int], bytes]) -> None:
        self.dropped: Callable[[int], None] = lambda lines: None
        self.failed: Callable[[], None] = lambda: None
        self._descriptor = descriptor
        self._notice = notice
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        """Start with an empty queue: the parent of a forked process writes the lines that were queued at the fork."""
        # Both are reentrant, because the garbage collector may log a destroyed task while another line is queued.
        self._queue: SimpleQueue[bytes | threading.Event | None] = SimpleQueue()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._is_line_open = False
        # Whether the last write failed. Lines that the thread has taken and that are neither written nor lost yet.
        self._failing = False
        self._unwritten = 0

    def put(self, line: bytes) -> None:
        """Queue a line, which includes its line end."""
        if self._lost or self._queue.qsize() >= MAX_LINES:
            self._drop(1)
        else:
            self._queue.put(line)
        if self._thread is None:
            self._start_thread()

    def flush(self, seconds: float) -> bool:
        """Wait until all lines are written, at most `seconds`; return whether they are."""
        if self._thread is None:
            return self._queue.empty()
        written = threading.Event()
        self._queue.put(written)
        return written.wait(seconds)

    def stop_thread(self, seconds: float) -> bool:
        """Wait until all lines are written and the thread has ended, at most `seconds`; return whether it has."""
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _start_thread(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None  # no thread can be started now: the next line tries again

    def _drop(self, lines: int) -> None:
        with self._lock:
            if not self._lost:
                self._queue.put(b"")  # wakes the thread if it waits for the queue
            self._lost += lines
            self.dropped(lines)

    def _run(self) -> None:
        # Signals must reach the main thread, to interrupt its sleep.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            items: list[bytes | threading.Event | None] = []
            try:
                self._take(items)
                self._write_all(items)
            except Exception:
                self._recover(items)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()
            if None in items and self._try_to_end():
                return

    def _write_all(self, items: list[bytes | threading.Event | None]) -> None:
        self._unwritten = sum(item.count(b"\n") for item in items if isinstance(item, bytes))
        for piece in pieces(item for item in items if isinstance(item, bytes)):
            lines = piece.count(b"\n")
            unwritten = lines if self._failing and not self._write_notice() else self._write(piece)
            self._failing = unwritten > 0
            self._unwritten -= lines
            if unwritten:
                self._drop(unwritten)
        if self._queue.empty():
            self._failing = not self._write_notice()

    def _recover(self, items: list[bytes | threading.Event | None]) -> None:
        """Go on after an error, most likely a lack of memory. The lines that were not written are lost."""
        try:
            self.failed()
            if self._unwritten:
                self._drop(self._unwritten)
        except Exception:
            self._failing = True
        self._unwritten = 0
        if not items:
            # Even waiting for lines fails: pause, and leave memory and CPU to the rest of the process.
            time.sleep(_RETRY_SECONDS)

    def _try_to_end(self) -> bool:
        """Give up the role of the writer thread and return True.

        If there are lines to write and no other thread was started for them, keep the role and return False.
        """
        self._thread = None
        with self._lock:
            if self._thread is None and (self._lost or not self._queue.empty()):
                self._thread = threading.current_thread()
            return self._thread is not threading.current_thread()

    def _take(self, items: list[bytes | threading.Event | None]) -> None:
        """Wait for lines, and move all of them into `items`."""
        with contextlib.suppress(Empty):
            items.append(self._queue.get(timeout=_RETRY_SECONDS if self._lost else None))
            while len(items) < MAX_LINES:
                items.append(self._queue.get_nowait())

    def _write_notice(self) -> bool:
        """Write the notice about lost lines, if any were lost; return False if it could not be written."""
        with self._lock:
            lost, self._lost = self._lost, 0
        unreported = lost
        try:
            if lost and not self._write(self._notice(lost)):
                unreported = 0
        finally:
            with self._lock:
                self._lost += unreported
        return not unreported

    def _write(self, lines: bytes) -> int:
        """Write lines; return how many could not be written: the disk is full, the reader has closed the pipe, or
        standard output is closed.
        """
        unwritten = b"\n" * self._is_line_open + lines  # ends a line of which only the first part was written
        try:
            while unwritten:
                try:
                    written = os.write(self._descriptor, unwritten)
                except BlockingIOError:
                    # Another process that shares the terminal or socket has made it non-blocking.
                    select.select([], [self._descriptor], [])
                    continue
                self._is_line_open = unwritten[written - 1 : written] != b"\n"
                unwritten = unwritten[written:]
        except OSError:
            return min(unwritten.count(b"\n"), lines.count(b"\n"))
        return 0


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines into pieces of at most `ATOMIC_WRITE` bytes; a longer line is a piece of its own."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > ATOMIC_WRITE:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
