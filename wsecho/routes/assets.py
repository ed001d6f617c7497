"""The files of the built-in test client, which are read once, when the server starts."""

import base64
import hashlib
import re
import zlib
from functools import cached_property
from pathlib import Path

from wsecho.http.content_codings import IDENTITY, preferred
from wsecho.http.request import Request
from wsecho.http.response import Headers, Response

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
# A browser validates its copy at each use, so that after an upgrade of the server it never mixes files of two versions.
_CACHING = (("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding"))
_GZIP = "gzip"
# What zlib calls a gzip stream with the largest window.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


def directory() -> Path:
    """Return the folder of the files: inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "static"
    return installed if installed.is_dir() else package.parent / "static"


class Assets:
    """Serves the files, in the content coding that the client prefers."""

    def __init__(self, folder: Path) -> None:
        """Read all files in `folder` and its subfolders whose types are known.

        Raises OSError if the folder or its index.html cannot be read.
        """
        index = folder / "index.html"
        files = [file for file in sorted(folder.rglob("*")) if file.suffix in _CONTENT_TYPES and file != index]
        self._assets = {"/": _Asset(index)} | {
            f"/static/{file.relative_to(folder).as_posix()}": _Asset(file) for file in files
        }

    def paths(self) -> list[str]:
        """Return the paths at which the files are served."""
        return list(self._assets)

    def answer(self, request: Request) -> Response:
        """Return the file at `request.path`, or 304 if the client has it already (RFC 9110 section 13.1.2)."""
        response = self._assets[request.path].answers[preferred(request, (_GZIP,))]
        etag = dict(response.headers)["ETag"]
        held = [tag.removeprefix("W/") for tag in request.tokens("if-none-match")]
        if etag in held or held == ["*"]:
            return Response(304, (("ETag", etag), *_CACHING))
        return response


class _Asset:
    """One file, and the response with it for each content coding."""

    def __init__(self, file: Path) -> None:
        self._body = file.read_bytes()
        scripts = _INLINE_SCRIPT.findall(self._body) if file.suffix == ".html" else ()
        self._headers: Headers = (
            ("Content-Type", _CONTENT_TYPES[file.suffix]),
            ("Content-Security-Policy", _POLICY.format("".join(map(_source, scripts)))),
            *_ISOLATION,
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        )

    @cached_property
    def answers(self) -> dict[str, Response]:
        """The responses by content coding, made at the first request: a start that compressed all would be slower."""
        compressor = zlib.compressobj(9, wbits=_GZIP_WINDOW_BITS)
        compressed = compressor.compress(self._body) + compressor.flush()
        # The headers count, because after a 304 a browser keeps those of its copy (RFC 9111 section 3.2).
        etag = hashlib.sha256(repr(self._headers).encode() + self._body).hexdigest()[:16]
        return {
            IDENTITY: Response(200, (*self._headers, *_CACHING, ("ETag", f'"{etag}"')), self._body),
            _GZIP: Response(
                200,
                (*self._headers, *_CACHING, ("ETag", f'"{etag}-gzip"'), ("Content-Encoding", _GZIP)),
                compressed,
            ),
        }


def _source(script: bytes) -> str:
    """Return the source expression that allows an inline script (Content Security Policy Level 3, section 2.3.1)."""
    return f" 'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
