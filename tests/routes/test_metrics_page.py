"""The page with the metrics: it is not made for a client that has left."""

from tests.conftest import Serve
from tests.shared.processes import used_seconds
from tests.shared.raw import RawConnection


def test_no_metrics_page_is_made_for_a_client_that_has_left(serve: Serve) -> None:
    server = serve()
    before = used_seconds(server.pid)
    for _ in range(100):
        server.metrics()
    made = used_seconds(server.pid)
    for _ in range(5):
        crowd = [RawConnection(server.port) for _ in range(200)]
        for client in crowd:
            client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        for client in crowd:
            client.socket.close()
    assert server.metrics()["websocket_connections_total"] == 0
    # The server spent less on the thousand clients that left than on as many pages.
    assert used_seconds(server.pid) - made < 5 * (made - before)
