"""A stand-in for Docker: what Testcontainers asks of its API, with a server as a process in place of a container."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.shared.server import RunningServer

IMAGE = "ghcr.io/OWNER/wsecho"


class DockerEngine(BaseHTTPRequestHandler):
    """Answers requests. Everything but one container of one image is unknown."""

    containers: dict[str, RunningServer]
    created: list[dict[str, Any]]

    def do_GET(self) -> None:  # the name is http.server's
        path = re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])
        if path in ("/_ping", "/version"):
            self._answer(200, {"ApiVersion": "1.45", "MinAPIVersion": "1.24", "Version": "27.0.0"})
        elif path == f"/images/{IMAGE}/json":
            self._answer(200, {"Id": "sha256:1"})
        elif path == "/containers/1/json" and self.created:
            server = self.containers.get("1")
            ports = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(server.port)}]} if server else {}
            state = {"Status": "running" if server else "created", "Running": bool(server)}
            self._answer(200, {"Id": "1", "Name": "/1", "State": state, "NetworkSettings": {"Ports": ports}})
        else:
            self._answer(404, {"message": f"unknown: {self.path}"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "/containers/create" in self.path:
            self.created.append(json.loads(body))
            self._answer(201, {"Id": "1", "Warnings": []})
        elif self.path.endswith("/containers/1/start"):
            variables = dict(variable.split("=", 1) for variable in self.created[0]["Env"])
            self.containers["1"] = RunningServer(environment=variables)
            self._answer(204)
        else:
            self._answer(404, {"message": f"unknown: {self.path}"})

    def do_DELETE(self) -> None:
        self.containers.pop("1").close()
        self._answer(204)

    def _answer(self, status: int, answer: object = None) -> None:
        body = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def docker_engine() -> Iterator[tuple[str, type[DockerEngine]]]:
    """Yield the value of DOCKER_HOST, and what was asked for."""
    engine = type("Engine", (DockerEngine,), {"containers": {}, "created": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"tcp://127.0.0.1:{server.server_port}", engine
        finally:
            server.shutdown()
            for container in engine.containers.values():
                container.close()
