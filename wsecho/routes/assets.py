"""The files of the built-in test client, read once at the start."""

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
# The page loads nothing from elsewhere, runs no inline code but its own, and may connect to any WebSocket server.
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
    """Return where the files are: inside the package when it was installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


class Assets:
    """Answers for the files, with a validator each so that a browser asks again but does not load again."""

    def __init__(self, folder: Path) -> None:
        """Read `folder`. Raises OSError when it or its index.html cannot be read."""
        index = _load(folder / "index.html")
        self._answers = {"/": index} | {
            f"/static/{file.name}": _load(file) for file in sorted(folder.iterdir()) if file.suffix in (".js", ".css")
        }

    def paths(self) -> list[str]:
        """Return the paths that are served."""
        return list(self._answers)

    def answer(self, request: Request) -> Response:
        """Return the file at `request.path`, or 304 when the client holds it already (RFC 9110 section 13.1.2)."""
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
    """Return what lets an inline script run (Content Security Policy Level 3, section 2.3.1)."""
    return f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
