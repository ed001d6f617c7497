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

# How often the blocked are looked at, in seconds.
_INTERVAL = 0.25
# Who has read nothing for so many seconds is stuck, and not only slow. Where other blocked clients do read, this one
# may be waiting for its turn in a busy process, and is given longer.
_PATIENCE = 2.0
_PATIENCE_AMONG_READERS = 5.0
_LEAST_LOAN = 4 << 20


class Borrower(Protocol):
    """What the lender needs of a connection."""

    def unsent(self) -> int:
        """Return the bytes that wait for the peer to read."""

    def message_in_progress(self) -> int | None:
        """Return the number of the message of which a part has come and the rest is wanted, None between messages."""

    def lend(self, room: int) -> None:
        """Allow `room` unsent bytes before reading stops; 0: no more than without a loan."""


@dataclass(slots=True)
class _Loan:
    room: int
    message: int
    ended: bool = False


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
            self._looking = True
            self._loop.call_later(_INTERVAL, self._look)

    def _look(self) -> None:
        self._looking = False
        self._end_loans()
        now = self._loop.time()
        stuck: list[tuple[float, Borrower]] = []
        for borrower, (unsent_before, since) in self._blocked.items():
            unsent = borrower.unsent()
            if unsent == unsent_before:
                stuck.append((since, borrower))
            else:
                self._blocked[borrower] = (unsent, now)
                self._somebody_read = True
        patience = _PATIENCE_AMONG_READERS if self._somebody_read else _PATIENCE
        # One loan a look: where many are stuck at once, most of them are rather slow.
        for since, borrower in sorted(stuck, key=itemgetter(0)):
            # Who needed a loan before is known to write first and read later.
            enough = _INTERVAL if borrower in self._lent else patience
            if now - since >= enough and self._lend(borrower):
                break
        self._somebody_read = False
        self._keep_looking()

    def _end_loans(self) -> None:
        """End each loan with the message it was made for; what it holds counts until the peer has read it."""
        for borrower, loan in list(self._lent.items()):
            if not loan.ended and borrower.message_in_progress() != loan.message:
                loan.ended = True
                loan.room = borrower.unsent()
                borrower.lend(0)
            if borrower.unsent() == 0:
                del self._lent[borrower]
                if not loan.ended:
                    borrower.lend(0)

    def _lend(self, borrower: Borrower) -> bool:
        """Lend room for what is to come of a message, if there is one in progress and the limit allows."""
        message = borrower.message_in_progress()
        loan = self._lent.get(borrower)
        if message is None or (loan and loan.ended):
            return False
        unsent = borrower.unsent()
        left = self._limit - sum(other.room for other in self._lent.values()) + (loan.room if loan else 0)
        # As much again as there is, whatever the peer has announced: who wants more must have sent something.
        room = min(unsent + max(unsent, _LEAST_LOAN), left)
        if room <= unsent:
            return False
        del self._blocked[borrower]
        self._lent[borrower] = _Loan(room, message)
        borrower.lend(room)
        return True
