"""The fetch of a key set has one deadline for everything."""

import contextlib
import socket
import threading
import time

import pytest
import structlog

from wsecho.access import fetch
from wsecho.access.remote_keys import RemoteKeys


@pytest.mark.parametrize("drip", ["head", "body", "chunks"])
def test_a_fetch_has_one_deadline_which_bytes_do_not_extend(drip: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_TIMEOUT", 0.3)
    begin = {
        "head": b"X-Slow: ",
        "body": b"Content-Length: 100000\r\n\r\n",
        "chunks": b"Transfer-Encoding: chunked\r\n\r\n",
    }[drip]

    def answer(listening: socket.socket) -> None:
        with listening.accept()[0] as accepted, contextlib.suppress(OSError):
            accepted.sendall(b"HTTP/1.1 200 OK\r\n" + begin)
            for _ in range(200):
                accepted.sendall(b"0")
                time.sleep(0.05)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=answer, args=(listening,))
        server.start()
        with pytest.raises(OSError, match="the fetch took too long"):
            RemoteKeys(f"http://127.0.0.1:{listening.getsockname()[1]}/", ["EdDSA"], structlog.get_logger())
        server.join()
