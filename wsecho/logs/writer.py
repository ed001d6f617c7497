"""Lines on their way out: a bounded queue, and a thread that writes, so that nobody who logs waits for who reads."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue

# Lines that wait for a reader. `log_fields` keeps a line below 4 KiB, usually 0.3 KiB.
MAX_LINES = 4096
# pipe(7): a write of this size or less is never mixed with that of another process.
ATOMIC_WRITE = select.PIPE_BUF
# After a failure, how long until it is tried again.
_RETRY_SECONDS = 1.0


class LogWriter:
    """Takes lines from any thread, and never raises, blocks or calls back into a log.

    A line that finds the queue full, or cannot be written, is lost and counted: `dropped` is told how many, in
    whichever thread notices. After a loss no line is taken until all that wait are out and `notice(lost)`, a line that
    says how many are missing here, is out too: the gap is where the notice stands. `failed` is told, in that thread, of
    whatever else went wrong there: it goes on.

    The thread starts with the first line, so every process that was forked has its own. `rest` ends it until the next
    line, so that a process can fork while it has no other thread.
    """

    def __init__(self, descriptor: int, notice: Callable[[int], bytes]) -> None:
        self.dropped: Callable[[int], None] = lambda lines: None
        self.failed: Callable[[], None] = lambda: None
        self._descriptor = descriptor
        self._notice = notice
        self._start_anew()
        os.register_at_fork(after_in_child=self._start_anew)

    def _start_anew(self) -> None:
        """Begin with nothing: what waits in a forked process is its parent's to write."""
        # Reentrant both, since the garbage collector can make a line of a lost task in the middle of another.
        self._queue: SimpleQueue[bytes | threading.Event | None] = SimpleQueue()
        self._lock = threading.RLock()
        self._thread: threading.Thread | None = None
        self._lost = 0
        self._torn = False
        # Whether the last write failed; lines that were taken and are neither written nor lost yet.
        self._failing = False
        self._unwritten = 0

    def put(self, line: bytes) -> None:
        """Take a line, its end included."""
        if self._lost or self._queue.qsize() >= MAX_LINES:
            self._lose(1)
        else:
            self._queue.put(line)
        if self._thread is None:
            self._start()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, so many seconds at most; tell whether it is."""
        if self._thread is None:
            return self._queue.empty()
        written = threading.Event()
        self._queue.put(written)
        return written.wait(seconds)

    def rest(self, seconds: float) -> bool:
        """Wait until everything is written and the thread has ended, so many seconds at most; tell whether it has."""
        thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(seconds)
        return thread is None or not thread.is_alive()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
                try:
                    self._thread.start()
                except RuntimeError:
                    self._thread = None  # there is none to be had now; the lines wait for the next try

    def _lose(self, lines: int) -> None:
        with self._lock:
            if not self._lost:
                self._queue.put(b"")  # wakes the thread, should it just have found nothing to do
            self._lost += lines
            self.dropped(lines)

    def _run(self) -> None:
        # Signals are for the main thread, whose sleep they must end.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            items: list[bytes | threading.Event | None] = []
            try:
                self._take(items)
                self._write_all(items)
            except Exception:
                self._survive(items)
            for item in items:
                if isinstance(item, threading.Event):
                    item.set()
            if None in items and self._steps_down():
                return

    def _write_all(self, items: list[bytes | threading.Event | None]) -> None:
        self._unwritten = sum(item.count(b"\n") for item in items if isinstance(item, bytes))
        for piece in pieces(item for item in items if isinstance(item, bytes)):
            lines = piece.count(b"\n")
            unwritten = lines if self._failing and not self._tell() else self._write(piece)
            self._failing = unwritten > 0
            self._unwritten -= lines
            if unwritten:
                self._lose(unwritten)
        if self._queue.empty():
            self._failing = not self._tell()

    def _survive(self, items: list[bytes | threading.Event | None]) -> None:
        """Go on after whatever it was, most likely an end of memory: what could not be written is lost."""
        try:
            self.failed()
            if self._unwritten:
                self._lose(self._unwritten)
        except Exception:
            self._failing = True
        self._unwritten = 0
        if not items:
            # It cannot even wait for lines: let others have the memory, and the processor.
            time.sleep(_RETRY_SECONDS)

    def _steps_down(self) -> bool:
        """Be no longer the thread, unless there is something to do already for which no other was started."""
        self._thread = None
        with self._lock:
            if self._thread is None and (self._lost or not self._queue.empty()):
                self._thread = threading.current_thread()
            return self._thread is not threading.current_thread()

    def _take(self, items: list[bytes | threading.Event | None]) -> None:
        """Wait for something to do, and put all of it into `items`."""
        with contextlib.suppress(Empty):
            items.append(self._queue.get(timeout=_RETRY_SECONDS if self._lost else None))
            while len(items) < MAX_LINES:
                items.append(self._queue.get_nowait())

    def _tell(self) -> bool:
        """Say how many lines were lost; tell whether nothing is left to be said."""
        with self._lock:
            lost, self._lost = self._lost, 0
        unsaid = lost
        try:
            if lost and not self._write(self._notice(lost)):
                unsaid = 0
        finally:
            with self._lock:
                self._lost += unsaid
        return not unsaid

    def _write(self, lines: bytes) -> int:
        """Write lines; return how many could not be: the disk is full, the reader has gone, the stream is closed."""
        unwritten = b"\n" * self._torn + lines  # the first half of a line must not spoil the next one
        try:
            while unwritten:
                try:
                    written = os.write(self._descriptor, unwritten)
                except BlockingIOError:
                    # Whoever shares the terminal or socket with us made it so.
                    select.select([], [self._descriptor], [])
                    continue
                self._torn = unwritten[written - 1 : written] != b"\n"
                unwritten = unwritten[written:]
        except OSError:
            return min(unwritten.count(b"\n"), lines.count(b"\n"))
        return 0


def pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces of `ATOMIC_WRITE` bytes at most; a longer line stands alone."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > ATOMIC_WRITE:
            yield piece
            piece = b""
        piece += line
    if piece:
        yield piece
