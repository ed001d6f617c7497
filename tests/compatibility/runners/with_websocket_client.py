"""The client `websocket-client`, with its defaults, in its blocking form."""

import asyncio
import ssl
from threading import Thread

import websocket

from tests.compatibility.runners.running import is_done, main, written
from tests.compatibility.tasks import Outcome, Task

_OPCODES = websocket.ABNF


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task in a thread, which is left alone if it does not end."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            _perform(task, outcome)
        except (websocket.WebSocketException, OSError, ValueError):
            # What the client told before stays.
            pass
        finally:
            loop.call_soon_threadsafe(done.set)

    Thread(target=run, daemon=True).start()
    await done.wait()


def _perform(task: Task, outcome: Outcome) -> None:
    try:
        connection = websocket.create_connection(task.url, sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False})
    except websocket.WebSocketBadStatusException as error:
        outcome.status = error.status_code
        return
    outcome.opened = True
    outcome.status = 101
    try:
        for text in task.messages:
            connection.send(text)
        while not is_done(task, outcome):
            opcode, data = connection.recv_data()
            if opcode == _OPCODES.OPCODE_CLOSE:
                outcome.clean = True
                outcome.close_code = int.from_bytes(data[:2], "big") if len(data) > 1 else 1005
                outcome.reason = data[2:].decode()
                return
            assert outcome.messages is not None
            outcome.messages.append(data.decode() if opcode == _OPCODES.OPCODE_TEXT else written(data))
            if task.echoes:
                connection.send(data, opcode)
        if task.closes:
            # The blocking form keeps the answer to itself.
            connection.close()
    except websocket.WebSocketConnectionClosedException:
        # It has no code for a lost connection, so the exception stands for it.
        outcome.close_code, outcome.clean = 1006, False
    except (websocket.WebSocketProtocolException, websocket.WebSocketPayloadException, UnicodeDecodeError, OSError):
        outcome.close_code, outcome.clean = 1006, False
    finally:
        connection.shutdown()


if __name__ == "__main__":
    main(perform)
