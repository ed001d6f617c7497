"""The page /info, which shows the request as the server received it."""

import json
from collections.abc import Mapping
from typing import Any

from wsecho.http.credentials import redacted
from wsecho.http.request import Request
from wsecho.http.response import Response


class RequestInfo:
    """Serves the page. It also shows the instance ID and the facts of the server.

    Only pages of the same origin can read it, because it shows what browsers do not tell pages: the client's address,
    and header fields such as cookies.
    """

    def __init__(self, instance_id: str, server: Mapping[str, Any]) -> None:
        self._of_server = {"instance_id": instance_id, "server": server}

    def page(self, request: Request) -> Response:
        """Return the request as it arrived, as JSON, without its credentials."""
        facts = as_received(request) | self._of_server
        headers = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
        return Response(200, headers, json.dumps(facts, indent=2, ensure_ascii=False).encode() + b"\n")


def as_received(request: Request) -> dict[str, Any]:
    """Return the request as it arrived, without its credentials, for JSON."""
    request = redacted(request)
    return {
        "method": request.method,
        "target": request.target,
        "path": request.path,
        "query": request.query,
        "authority": request.authority,
        "headers": request.headers,
        "peer": request.peer,
        "client": request.client,
        "forwarded": {
            "forwarded": request.values("forwarded"),
            "x_forwarded_for": request.values("x-forwarded-for"),
            "x_forwarded_proto": request.values("x-forwarded-proto"),
        },
        "protocol": f"HTTP/{request.version}",
        "scheme": request.scheme,
        "tls": request.tls and request.tls._asdict(),
    }
