"""A document that does not change while the server runs, with what saves a client from loading it again."""

import zlib
from functools import cached_property

from wsecho.http.content_codings import IDENTITY, preferred
from wsecho.http.request import Request
from wsecho.http.response import Headers, Response

# A client validates its copy at each use, so that after an upgrade of the server it never mixes two versions.
_CACHING = (("Cache-Control", "no-cache"), ("Vary", "Accept-Encoding"))
_GZIP = "gzip"
# What zlib calls a gzip stream with the largest window.
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS


class Document:
    """A body with its header fields. Each content coding of it has an ETag (RFC 9110 section 8.8.3)."""

    def __init__(self, body: bytes, headers: Headers) -> None:
        self._body = body
        self._headers = headers

    def answer(self, request: Request) -> Response:
        """Return the document in the coding that the client prefers, or 304 if the client has it already (RFC 9110
        section 13.1.2).
        """
        response = self._responses[preferred(request, (_GZIP,))]
        etag = dict(response.headers)["ETag"]
        held = [tag.removeprefix("W/") for tag in request.tokens("if-none-match")]
        if etag in held or held == ["*"]:
            return Response(304, (("ETag", etag), *_CACHING))
        return response

    @cached_property
    def _responses(self) -> dict[str, Response]:
        """The responses by content coding, made at the first request: a start that compressed all would be slower."""
        import hashlib  # imported only when needed, because this import is slow

        compressor = zlib.compressobj(9, wbits=_GZIP_WINDOW_BITS)
        compressed = compressor.compress(self._body) + compressor.flush()
        # The headers count, because after a 304 a browser keeps those of its copy (RFC 9111 section 3.2).
        etag = hashlib.sha256(repr(self._headers).encode() + self._body).hexdigest()[:16]
        headers = (*self._headers, *_CACHING)
        return {
            IDENTITY: Response(200, (*headers, ("ETag", f'"{etag}"')), self._body),
            _GZIP: Response(200, (*headers, ("ETag", f'"{etag}-gzip"'), ("Content-Encoding", _GZIP)), compressed),
        }
