"""What a harness does with its client in a row of the catalogue, as the row writes it in `act`."""

import re
from dataclasses import dataclass

from wsecho.scenarios.language.arguments import Bytes
from wsecho.scenarios.language.limits import LOCAL

_ACTIONS = re.compile(r"(?:send (?P<messages>\d+ of size \S+|[^\s,]+(?:, [^\s,]+)*?))?(?:(?:^|, )(?P<close>close))?")
_COUNTED = re.compile(r"(\d+) of size (\S+)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Act:
    """`messages` are sent one after the other, as text in the form of `Bytes`; then the client waits for what the row
    expects. It `closes` afterwards, and `echoes` meanwhile.
    """

    messages: tuple[str, ...] = ()
    echoes: bool = False
    closes: bool = False

    def payloads(self) -> list[bytes]:
        """Return the payloads of the messages."""
        data = [Bytes().parse(text, LOCAL) for text in self.messages]
        return [each.payload(number) for number, each in enumerate(data, start=1)]


_WITHOUT_MESSAGES = {
    "wait": Act(),
    "echo": Act(echoes=True),
    "close after the first message": Act(closes=True),
}


def parse(text: str) -> Act | None:
    """Return the act, or None for one that only a person or a program of its own can perform."""
    if text in _WITHOUT_MESSAGES:
        return _WITHOUT_MESSAGES[text]
    match = _ACTIONS.fullmatch(text)
    if not match or not text:
        return None
    return Act(_messages(match["messages"] or ""), closes=bool(match["close"]))


def _messages(text: str) -> tuple[str, ...]:
    if counted := _COUNTED.fullmatch(text):
        return (f"size:{counted[2]}",) * int(counted[1])
    return tuple(filter(None, text.split(", ")))
