"""The page /info, which shows the request as the server received it."""

import json
from dataclasses import asdict
from typing import Any

from wsecho import __version__
from wsecho.http.credentials import redacted
from wsecho.http.request import Request
from wsecho.http.response import Response


class RequestInfo:
    """Serves the page. It also shows the instance ID, the version and the codec of the server."""

    def __init__(self, instance_id: str, codec: str) -> None:
        self._instance_id = instance_id
        self._codec = codec

    def page(self, request: Request) -> Response:
        """Return the request as it arrived, as JSON, without its credentials."""
        facts = as_received(request) | {
            "instance_id": self._instance_id,
            "server": {"name": "wsecho", "version": __version__, "codec": self._codec},
        }
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
        "tls": request.tls and asdict(request.tls),
    }
