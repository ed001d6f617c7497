"""Room lent to clients that send a long message to its end before they read any of its echo.

An echo that is passed on as it arrives stops reading once the client stops reading. A client that writes first and
reads later, as every blocking client does, would then wait for us as we wait for it, as soon as a message is longer
than what the kernel's buffers hold. Such a client is lent memory for the rest of its message, out of one limit for
all clients of a worker, so that patience with the honest gives nothing to the greedy.
"""

import asyncio
from dataclasses import dataclass
from operator import itemgetter
from typing import Protocol

from wsecho.connections.internal_errors import report

# How often the blocked are looked at, in seconds.
_INTERVAL = 0.25
# Who has read nothing for so many seconds is stuck, and not only slow. Where other blocked clients do read, this one
# may be waiting for its turn in a busy process, and is given longer.
_PATIENCE = 2.0
_PATIENCE_AMONG_READERS = 5.0
_LEAST_LOAN = 4 << 20
# A loan is in use while so many bytes a second of its message arrive, or are taken by the peer, on an average of so
# many seconds. One that is not, others may have; and the slowest of those that have been used for so long.
_RATE = 16 << 10
_TERM = 5.0
_LONGEST = 15.0
# Room that is not worth taking back.
_NEGLIGIBLE = 64 << 10


class Borrower(Protocol):
    """What the lender needs of a connection."""

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""

    def held(self) -> int:
        """Return the memory, in bytes, that `unsent` takes with what each piece of it costs."""

    def moved(self) -> int:
        """Return the bytes that have come from the peer and that it has taken; only differences count."""

    def message_in_progress(self) -> int | None:
        """Return the number of the message of which a part has come and the rest is wanted, None between messages."""

    def lend(self, room: int) -> None:
        """Allow to keep `room` bytes before reading stops; 0: no more than without a loan."""

    def give_time(self) -> None:
        """Begin the stall limit anew: the peer has not read, but uses its loan."""

    def call_in(self) -> None:
        """End the connection: others need the memory that its peer keeps, and uses too little or too slowly."""


@dataclass(slots=True)
class _Loan:
    room: int
    message: int
    # When it was made, and what had moved before.
    began: float
    moved_before: int
    # From when it has to be in use, and what had moved then.
    since: float
    moved: int
    ended: bool = False
    # Whether room that was not used was taken back.
    reduced: bool = False


class Loans:
    """The lender. `limit` is the most that is lent at once, in bytes."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        self._limit = limit
        self._loop = loop
        # Of each blocked one the unsent bytes, and when they were last seen to change.
        self._blocked: dict[Borrower, tuple[int, float]] = {}
        self._lent: dict[Borrower, _Loan] = {}
        self._looking = False
        self._somebody_read = False

    def block(self, borrower: Borrower) -> None:
        """Note that nothing more is read from `borrower` until its peer reads."""
        self._blocked[borrower] = (borrower.unsent(), self._loop.time())
        self._keep_looking()

    def unblock(self, borrower: Borrower) -> None:
        """Note that `borrower` is read from again, because its peer has read."""
        if self._blocked.pop(borrower, None):
            self._somebody_read = True

    def forget(self, borrower: Borrower) -> None:
        """Take back what an ended connection had."""
        self._blocked.pop(borrower, None)
        self._lent.pop(borrower, None)

    def _keep_looking(self) -> None:
        if not self._looking and (self._blocked or self._lent):
            self._loop.call_later(_INTERVAL, self._look)
            self._looking = True

    def _look(self) -> None:
        self._looking = False
        try:
            now = self._loop.time()
            self._review_loans(now)
            self._serve_one(self._stuck(now), now)
        except Exception as error:
            report(self._loop, "loans", error)
        # Last, and whatever happened: nobody else would begin again while there are blocked ones.
        self._keep_looking()

    def _review_loans(self, now: float) -> None:
        """End each loan with the message it was made for; what it holds counts until the peer has read it."""
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
            elif borrower.moved() - loan.moved >= _RATE * max(_TERM, now - loan.since):
                loan.since, loan.moved = now, borrower.moved()
                if not loan.ended:
                    borrower.give_time()

    def _stuck(self, now: float) -> list[Borrower]:
        """Return those that have not read for long enough, in the order in which they are to be served."""
        unchanged: list[tuple[float, Borrower]] = []
        for borrower, (unsent_before, since) in self._blocked.items():
            unsent = borrower.unsent()
            if unsent == unsent_before:
                unchanged.append((since, borrower))
            else:
                self._blocked[borrower] = (unsent, now)
                self._somebody_read = True
        patience = _PATIENCE_AMONG_READERS if self._somebody_read else _PATIENCE
        self._somebody_read = False
        # Who uses a loan is known to write first and read later. It comes first, so that it finishes sooner.
        stuck = []
        for since, borrower in unchanged:
            loan = self._lent.get(borrower)
            uses_loan = loan is not None and not loan.reduced
            if now - since >= (_INTERVAL if uses_loan else patience):
                stuck.append((not uses_loan, since, borrower))
        return [borrower for _, _, borrower in sorted(stuck, key=itemgetter(0, 1))]

    def _serve_one(self, stuck: list[Borrower], now: float) -> None:
        """Lend to one of them, or make room for it. One a look: where many are stuck, most of them are rather slow."""
        for borrower in stuck:
            message = borrower.message_in_progress()
            loan = self._lent.get(borrower)
            if message is None or (loan and loan.ended):
                continue
            if self._lend(borrower, message, now) or self._call_in(borrower, now):
                return

    def _lend(self, borrower: Borrower, message: int, now: float) -> bool:
        """Lend room for what is to come of a message, if the limit allows."""
        loan = self._lent.get(borrower)
        held = borrower.held()
        left = self._limit - sum(other.room for other in self._lent.values()) + (loan.room if loan else 0)
        # As much again as there is, whatever the peer has announced: who wants more must have sent something.
        room = min(held + max(held, _LEAST_LOAN), left)
        if room <= held:
            return False
        del self._blocked[borrower]
        if loan:
            loan.room = room
            loan.reduced = False
        else:
            moved = borrower.moved()
            self._lent[borrower] = _Loan(room, message, now, moved, now, moved)
            borrower.give_time()
        borrower.lend(room)
        return True

    def _call_in(self, needy: Borrower, now: float) -> bool:
        """Take back room that is empty or, where there is none, all that one borrower has, by its end."""
        others = [
            (borrower, loan)
            for borrower, loan in self._lent.items()
            if borrower is not needy and loan.room > _NEGLIGIBLE
        ]
        idle = [(loan.since, borrower, loan) for borrower, loan in others if now - loan.since >= _TERM]
        slow = [
            ((borrower.moved() - loan.moved_before) / (now - loan.began), borrower, loan)
            for borrower, loan in others
            if now - loan.since < _TERM and now - loan.began >= _LONGEST
        ]
        # Those that have been idle for longest come first, behind them the slowest.
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
