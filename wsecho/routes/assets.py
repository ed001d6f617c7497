"""The files of the built-in test client, which are read once, when the server starts."""

import base64
import os
import re
from collections.abc import Callable, Iterator
from functools import cache, partial

from wsecho.http.pattern import pattern
from wsecho.http.request import Request
from wsecho.http.response import Response
from wsecho.routes.document import Document

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_INLINE_SCRIPT = pattern(rb"<script>(.*?)</script>", re.DOTALL)
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


def directory() -> str:
    """Return the folder of the files: inside an installed package, or beside the package in a checkout."""
    package = os.path.dirname(os.path.dirname(__file__))
    installed = os.path.join(package, "static")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(package), "static")


class Assets:
    """Serves the files."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Read all files in `folder` and its subfolders whose types are known.

        Raises OSError if the folder or its index.html cannot be read.
        """
        # A document is made at its first request. A start, which needs none of them, only reads the files.
        self._documents: dict[str, Callable[[], Document]] = {"/": _load(os.path.join(folder, "index.html"))}
        for path, file in _files(folder):
            if path != "/static/index.html":
                self._documents[path] = _load(file)

    def paths(self) -> list[str]:
        """Return the paths at which the files are served."""
        return list(self._documents)

    def answer(self, request: Request) -> Response:
        """Return the file at `request.path`."""
        return self._documents[request.path]().answer(request)


def _files(folder: str | os.PathLike[str]) -> Iterator[tuple[str, str]]:
    """Yield the path at which each file in `folder` is served, and the name of the file, if its type is known."""
    for place, _, names in os.walk(folder):
        below = os.path.relpath(place, folder)
        for name in names:
            if _suffix(name) in _CONTENT_TYPES:
                yield os.path.normpath(f"/static/{below}/{name}"), os.path.join(place, name)


def _load(file: str) -> Callable[[], Document]:
    with open(file, "rb", buffering=0) as opened:
        return cache(partial(_document, _suffix(file), opened.read()))


def _suffix(file: str) -> str:
    return os.path.splitext(file)[1]


def _document(suffix: str, body: bytes) -> Document:
    scripts = _INLINE_SCRIPT.findall(body) if suffix == ".html" else ()
    headers = (
        ("Content-Type", _CONTENT_TYPES[suffix]),
        ("Content-Security-Policy", _POLICY.format("".join(map(_source, scripts)))),
        *_ISOLATION,
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    )
    return Document(body, headers)


def _source(script: bytes) -> str:
    """Return the source expression that allows an inline script (Content Security Policy Level 3, section 2.3.1)."""
    import hashlib  # imported only when needed, because this import is slow

    return f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
