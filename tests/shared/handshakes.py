"""Handshakes with additional header fields, sent to a running server."""

from tests.shared.frames import TEXT, client_frame, server_frame
from tests.shared.raw import HANDSHAKE, RawConnection


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


def handshake(port: int, *fields: str, target: str = "/") -> tuple[int, str]:
    """Send a handshake with additional header fields. Return the status and the answer.

    An accepted WebSocket must echo; a refused connection must end.
    """
    request = HANDSHAKE.replace(b"GET / ", f"GET {target} ".encode())
    request = request.replace(b"\r\n\r\n", "".join(f"\r\n{field}" for field in (*fields, "", "")).encode())
    with RawConnection(port) as connection:
        connection.send(request)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            byte = connection.receive(1)
            assert byte
            answer += byte
        status = int(answer.split()[1])
        if status == 101:
            connection.send(client_frame(TEXT, b"hello"))
            assert connection.receive(7) == server_frame(TEXT, b"hello")
        else:
            answer += connection.receive_all()
        return status, answer.decode()
