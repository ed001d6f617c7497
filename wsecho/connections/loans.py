"""Loans: memory lent to clients that write a long message to its end before they read any of the echo.

The server forwards an echo while the message is still arriving, and stops reading when the client stops reading. Every
blocking client writes first and reads later. As soon as a message is longer than what the kernel's buffers hold, such a
client would wait for the server while the server waits for the client. So the server lends it memory for the rest of
its message. One limit bounds all loans of a worker, and a loan that is not used is taken back when another client needs
the memory, so that a client cannot keep it by doing nothing.
"""

import asyncio
from operator import itemgetter
from typing import Protocol

from wsecho.connections.internal_errors import report

# Seconds between two checks of the blocked connections and the loans.
_INTERVAL = 0.25
# A blocked client that has read nothing for so many seconds counts as stuck, and not as slow. While other blocked
# clients do read, the time is longer: the client may be one of many in a busy process that serves the others first.
_STUCK_SECONDS = 2.0
_STUCK_SECONDS_AMONG_READERS = 5.0
_MIN_LOAN = 4 << 20
# A loan is in use while so many bytes a second of its message arrive or are taken by the peer, averaged over
# `_IDLE_SECONDS`. If another client needs the memory, a loan that is not in use is called in, and after that the
# slowest of the loans that are at least `_LENT_SECONDS` old.
_MIN_RATE = 16 << 10
_IDLE_SECONDS = 5.0
_LENT_SECONDS = 15.0
# Unfilled memory, in bytes, that is too little to take back.
_NEGLIGIBLE = 64 << 10


class Borrower(Protocol):
    """What the lender needs of a connection."""

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""

    def held(self) -> int:
        """Return the memory, in bytes, that the unsent bytes take, with the overhead of each piece of them."""

    def moved(self) -> int:
        """Return the bytes received from the peer plus the bytes taken by it; only differences count."""

    def message_in_progress(self) -> int | None:
        """Return the number of the message of which only a part has arrived, or None between messages."""

    def lend(self, room: int) -> None:
        """Allow `room` bytes to wait before reading stops; 0: as many as without a loan."""

    def restart_stall_timeout(self) -> None:
        """Start the stall timeout anew: the peer does not read, but it uses its loan."""

    def call_in(self) -> None:
        """End the connection: another client needs the memory, and the peer uses its loan too little or too slowly."""


class _Loan:
    __slots__ = ("ended", "lent_at", "message", "moved", "moved_when_lent", "reduced", "room", "used_at")

    def __init__(self, room: int, message: int, now: float, moved: int) -> None:
        self.room = room
        self.message = message
        # When the loan was made, and `moved()` at that time.
        self.lent_at = now
        self.moved_when_lent = moved
        # When the loan was last known to be in use, and `moved()` at that time.
        self.used_at = now
        self.moved = moved
        # The message is over; what is left counts until the client has read it.
        self.ended = False
        # Whether unfilled memory was taken back.
        self.reduced = False


class Loans:
    """The lender. `limit` is the most that is lent at once, in bytes."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = limit
        self._loop = loop
        # For each blocked connection, its unsent bytes and when they were last seen to change.
        self._blocked: dict[Borrower, tuple[int, float]] = {}
        self._lent: dict[Borrower, _Loan] = {}
        self._check_scheduled = False
        self._a_client_read = False

    def block(self, borrower: Borrower) -> None:
        """Record that the server has stopped reading from `borrower` until its peer reads."""
        self._blocked[borrower] = (borrower.unsent(), self._loop.time())
        self._schedule_check()

    def unblock(self, borrower: Borrower) -> None:
        """Record that the server reads from `borrower` again, because its peer has read."""
        if self._blocked.pop(borrower, None):
            self._a_client_read = True

    def forget(self, borrower: Borrower) -> None:
        """Take back the loan of a connection that has ended."""
        self._blocked.pop(borrower, None)
        self._lent.pop(borrower, None)

    def _schedule_check(self) -> None:
        if not self._check_scheduled and (self._blocked or self._lent):
            self._loop.call_later(_INTERVAL, self._check)
            self._check_scheduled = True

    def _check(self) -> None:
        self._check_scheduled = False
        try:
            now = self._loop.time()
            self._review_loans(now)
            self._serve_one(self._stuck(now), now)
        except Exception as error:
            report(self._loop, "loans", error)
        # After an error too: nothing else would schedule the next check for connections that are already blocked.
        self._schedule_check()

    def _review_loans(self, now: float) -> None:
        """End each loan with the message that it was made for. What it holds counts until the peer has read it."""
        for borrower, loan in list(self._lent.items()):
            if not loan.ended and borrower.message_in_progress() != loan.message:
                loan.ended = True
                borrower.lend(0)
            if loan.ended:
                loan.room = borrower.held()
            if borrower.unsent() == 0:
                del self._lent[borrower]
                if not loan.ended:
                    borrower.lend(0)
            elif borrower.moved() - loan.moved >= _MIN_RATE * max(_IDLE_SECONDS, now - loan.used_at):
                loan.used_at, loan.moved = now, borrower.moved()
                if not loan.ended:
                    borrower.restart_stall_timeout()

    def _stuck(self, now: float) -> list[Borrower]:
        """Return the connections whose peer has read nothing for long enough, in the order in which to serve them."""
        unchanged: list[tuple[float, Borrower]] = []
        for borrower, (unsent_before, since) in self._blocked.items():
            unsent = borrower.unsent()
            if unsent == unsent_before:
                unchanged.append((since, borrower))
            else:
                self._blocked[borrower] = (unsent, now)
                self._a_client_read = True
        stuck_seconds = _STUCK_SECONDS_AMONG_READERS if self._a_client_read else _STUCK_SECONDS
        self._a_client_read = False
        # A client that uses a loan is known to write first and read later. It comes first, so that it finishes sooner.
        stuck = []
        for since, borrower in unchanged:
            loan = self._lent.get(borrower)
            uses_loan = loan is not None and not loan.reduced
            if now - since >= (_INTERVAL if uses_loan else stuck_seconds):
                stuck.append((not uses_loan, since, borrower))
        return [borrower for _, _, borrower in sorted(stuck, key=itemgetter(0, 1))]

    def _serve_one(self, stuck: list[Borrower], now: float) -> None:
        """Lend to one connection, or free memory for it. Only one for each check: where many clients seem stuck, most
        of them are only slow.
        """
        for borrower in stuck:
            message = borrower.message_in_progress()
            loan = self._lent.get(borrower)
            if message is None or (loan and loan.ended):
                continue
            if self._lend(borrower, message, now) or self._free_memory(borrower, now):
                return

    def _lend(self, borrower: Borrower, message: int, now: float) -> bool:
        """Lend room for the rest of a message. Return False if the limit is used up."""
        loan = self._lent.get(borrower)
        held = borrower.held()
        left = self._limit - sum(other.room for other in self._lent.values()) + (loan.room if loan else 0)
        # As much again as it holds, whatever message size the peer has announced: to get more, it must have sent data.
        room = min(held + max(held, _MIN_LOAN), left)
        if room <= held:
            return False
        del self._blocked[borrower]
        if loan:
            loan.room = room
            loan.reduced = False
        else:
            moved = borrower.moved()
            self._lent[borrower] = _Loan(room, message, now, moved)
            borrower.restart_stall_timeout()
        borrower.lend(room)
        return True

    def _free_memory(self, stuck: Borrower, now: float) -> bool:
        """Take back unfilled memory from one loan or, if no loan has any, end one borrower's connection.

        Return whether there was a loan to call in.
        """
        others = [
            (borrower, loan)
            for borrower, loan in self._lent.items()
            if borrower is not stuck and loan.room > _NEGLIGIBLE
        ]
        idle = [(loan.used_at, borrower, loan) for borrower, loan in others if now - loan.used_at >= _IDLE_SECONDS]
        slow = [
            ((borrower.moved() - loan.moved_when_lent) / (now - loan.lent_at), borrower, loan)
            for borrower, loan in others
            if now - loan.used_at < _IDLE_SECONDS and now - loan.lent_at >= _LENT_SECONDS
        ]
        # The loans that have been idle for longest come first, then the slowest ones.
        due = [*sorted(idle, key=itemgetter(0)), *sorted(slow, key=itemgetter(0))]
        for _, borrower, loan in due:
            held = borrower.held()
            if loan.room - held > _NEGLIGIBLE:
                loan.room = held
                loan.reduced = True
                borrower.lend(0)
                return True
        if due:
            due[0][1].call_in()
        return bool(due)
