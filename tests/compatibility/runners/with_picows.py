"""The client `picows`, with its defaults. It hands frames to the application, which answers Close frames itself."""

import asyncio

import picows

from tests.compatibility.runners.running import is_done, main, trusting
from tests.compatibility.tasks import Outcome, Task

_DATA = (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION)


class Listener(picows.WSListener):  # type: ignore[misc]  # it comes without types
    """The least application that a client can be."""

    def __init__(self, task: Task, outcome: Outcome) -> None:
        super().__init__()
        self.task = task
        self.outcome = outcome
        self.done = asyncio.Event()
        self.kind = picows.WSMsgType.TEXT
        self.message = bytearray()

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Send the messages."""
        self.outcome.opened = True
        self.outcome.status = 101
        for text in self.task.messages:
            transport.send(picows.WSMsgType.TEXT, text.encode())
        self._go_on(transport)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Join fragments, and answer a Close frame."""
        if frame.msg_type == picows.WSMsgType.CLOSE:
            payload = frame.get_payload_as_bytes()
            self.outcome.close_code = int.from_bytes(payload[:2], "big") if len(payload) > 1 else 1005
            self.outcome.reason = payload[2:].decode(errors="replace")
            self.outcome.clean = True
            transport.send(picows.WSMsgType.CLOSE, payload)
            transport.disconnect()
        elif frame.msg_type in _DATA:
            if frame.msg_type != picows.WSMsgType.CONTINUATION:
                self.kind = frame.msg_type
            self.message += frame.get_payload_as_bytes()
            if frame.fin:
                self._add(transport, bytes(self.message))
                self.message.clear()

    def _add(self, transport: picows.WSTransport, data: bytes) -> None:
        assert self.outcome.messages is not None
        text = data.decode(errors="replace") if self.kind == picows.WSMsgType.TEXT else f"hex:{data.hex()}"
        self.outcome.messages.append(text)
        if self.task.echoes:
            transport.send(self.kind, data)
        self._go_on(transport)

    def _go_on(self, transport: picows.WSTransport) -> None:
        if is_done(self.task, self.outcome):
            if self.task.closes:
                transport.send_close(1000)
            else:
                transport.disconnect()
                self.done.set()

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """The connection has ended."""
        if self.outcome.clean is None and not self.done.is_set():
            self.outcome.close_code, self.outcome.clean = 1006, False
        self.done.set()


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task."""
    listener = Listener(task, outcome)
    try:
        transport, _ = await picows.ws_connect(lambda: listener, task.url, ssl_context=trusting(task.url))
    except picows.WSInvalidStatusError as error:
        outcome.status = getattr(getattr(error, "response", None), "status", None)
        return
    if outcome.opened or not transport.is_disconnected:
        await listener.done.wait()


if __name__ == "__main__":
    main(perform)
