"""The page /metrics, which takes some milliseconds to make."""

from collections.abc import Callable, Coroutine
from functools import partial

from wsecho.http.request import Request
from wsecho.http.response import Deferred, Response

# Takes the value of the Accept header field, and returns the content type and the body of the page.
Collect = Callable[[str], Coroutine[None, None, tuple[str, bytes]]]


class MetricsPage:
    """Serves the page that `collect` makes."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect

    def page(self, request: Request) -> Deferred:
        """Return the metrics, in the format that the Accept header field of the request asks for."""
        return Deferred(partial(self._collected, request.value("accept")))

    async def _collected(self, accept: str) -> Response:
        content_type, body = await self._collect(accept)
        return Response(200, (("Content-Type", content_type), ("Cache-Control", "no-store")), body)
