"""The files of the built-in test client, which are read once, when the server starts."""

import base64
import hashlib
import re
from pathlib import Path

from wsecho.http.request import Request
from wsecho.http.response import Response

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# The page loads nothing from other servers, runs only its own inline scripts, and may connect to any WebSocket server.
_POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self'{}",
    "style-src 'self'",
    "connect-src 'self' ws: wss:",
    "img-src 'self' data:",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
))  # fmt: skip


def directory() -> Path:
    """Return the folder of the files: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


class Assets:
    """Serves the files. Each has an ETag, so that a browser can validate its copy instead of loading the file again."""

    def __init__(self, folder: Path) -> None:
        """Read all files in `folder`. Raises OSError if the folder or its index.html cannot be read."""
        index = _load(folder / "index.html")
        self._answers = {"/": index} | {
            f"/static/{file.name}": _load(file) for file in sorted(folder.iterdir()) if file.suffix in (".js", ".css")
        }

    def paths(self) -> list[str]:
        """Return the paths at which the files are served."""
        return list(self._answers)

    def answer(self, request: Request) -> Response:
        """Return the file at `request.path`, or 304 if the client has it already (RFC 9110 section 13.1.2)."""
        response = self._answers[request.path]
        etag = dict(response.headers)["ETag"]
        held = [tag.removeprefix("W/") for tag in request.tokens("if-none-match")]
        if etag in held or held == ["*"]:
            return Response(304, (("ETag", etag), ("Cache-Control", "no-cache")))
        return response


def _load(file: Path) -> Response:
    body = file.read_bytes()
    headers = (
        ("Content-Type", _CONTENT_TYPES[file.suffix]),
        ("Cache-Control", "no-cache"),
        ("ETag", f'"{hashlib.sha256(body).hexdigest()[:16]}"'),
        ("Content-Security-Policy", _POLICY.format("".join(map(_source, _INLINE_SCRIPT.findall(body))))),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    )
    return Response(200, headers, body)


def _source(script: bytes) -> str:
    """Return the source expression that allows an inline script (Content Security Policy Level 3, section 2.3.1)."""
    return f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
