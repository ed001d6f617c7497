"""The files of the built-in test client, which are read once, when the server starts."""

import base64
import hashlib
import re
from pathlib import Path

from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.routes.document import Document

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INLINE_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
# The page loads nothing from other servers, runs only its own inline scripts, and may connect to any WebSocket server.
# It makes no markup and no script from text, and the one policy of Trusted Types that it may have is its own. A worker
# obeys the policy of its own script, so every file has the whole policy.
_POLICY = "; ".join((
    "default-src 'none'",
    "script-src 'self'{}",
    "style-src 'self'",
    "connect-src 'self' ws: wss:",
    "img-src 'self' data:",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types wsecho",
))  # fmt: skip
# The page must share no process with pages of other origins: browsers give precise clocks only to such pages.
_ISOLATION = (
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


def directory() -> Path:
    """Return the folder of the files: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


class Assets:
    """Serves the files."""

    def __init__(self, folder: Path) -> None:
        """Read all files in `folder` and its subfolders whose types are known.

        Raises OSError if the folder or its index.html cannot be read.
        """
        index = folder / "index.html"
        files = [file for file in sorted(folder.rglob("*")) if file.suffix in _CONTENT_TYPES and file != index]
        self._documents = {"/": _load(index)} | {
            f"/static/{file.relative_to(folder).as_posix()}": _load(file) for file in files
        }

    def paths(self) -> list[str]:
        """Return the paths at which the files are served."""
        return list(self._documents)

    def answer(self, request: Request) -> Response:
        """Return the file at `request.path`."""
        return self._documents[request.path].answer(request)


def _load(file: Path) -> Document:
    body = file.read_bytes()
    scripts = _INLINE_SCRIPT.findall(body) if file.suffix == ".html" else ()
    headers = (
        ("Content-Type", _CONTENT_TYPES[file.suffix]),
        ("Content-Security-Policy", _POLICY.format("".join(map(_source, scripts)))),
        *_ISOLATION,
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    )
    return Document(body, headers)


def _source(script: bytes) -> str:
    """Return the source expression that allows an inline script (Content Security Policy Level 3, section 2.3.1)."""
    return f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
