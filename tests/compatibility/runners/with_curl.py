"""The WebSocket interface of libcurl, through `curl_cffi`, with its defaults."""

from curl_cffi import AsyncSession, CurlError, CurlWsFlag

from tests.compatibility.runners.running import is_done, main, written
from tests.compatibility.tasks import Outcome, Task


async def perform(task: Task, outcome: Outcome) -> None:
    """Perform a task."""
    async with AsyncSession(verify=False) as session:
        connection = await session.ws_connect(task.url)
        outcome.opened = True
        outcome.status = 101
        try:
            for text in task.messages:
                await connection.send_str(text)
            while not is_done(task, outcome):
                data, flags = await connection.recv()
                if flags & CurlWsFlag.CLOSE:
                    break
                is_text = bool(flags & CurlWsFlag.TEXT)
                assert outcome.messages is not None
                outcome.messages.append(data.decode(errors="replace") if is_text else written(data))
                if task.echoes:
                    await connection.send(data, CurlWsFlag.TEXT if is_text else CurlWsFlag.BINARY)
            if task.closes:
                # It sends a Close frame, and does not tell what comes back.
                await connection.close()
                return
        except CurlError:
            # It has no code for a lost connection, so the exception stands for it.
            outcome.close_code, outcome.clean = 1006, False
        finally:
            connection.terminate()
        if not is_done(task, outcome):
            outcome.close_code = connection.close_code or outcome.close_code
            outcome.reason = connection.close_reason or ""
            outcome.clean = connection.close_code is not None


if __name__ == "__main__":
    main(perform)
