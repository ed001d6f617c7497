"""The page that shows a request as the server received it."""

import json

from tests.shared.server import RunningServer


def test_info_says_how_the_request_looked(server: RunningServer) -> None:
    status, headers, body = server.get("/info?a=b", **{"X-Forwarded-For": "192.0.2.1", "X-Odd": "caf\xe9"})
    facts = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert (facts["method"], facts["target"], facts["path"], facts["query"]) == ("GET", "/info?a=b", "/info", "a=b")
    assert ["X-Odd", "caf\xe9"] in facts["headers"]
    assert facts["forwarded"]["x_forwarded_for"] == ["192.0.2.1"]
    assert facts["peer"][0] == "127.0.0.1"
    assert (facts["protocol"], facts["tls"]) == ("HTTP/1.1", None)
    assert facts["instance_id"] == json.loads(server.get("/info")[2])["instance_id"]
    # Pages of other origins may not learn the client's address and cookies.
    assert "access-control-allow-origin" not in headers
