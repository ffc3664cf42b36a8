"""The HTTP session of the watches: what it asks for, and what it lets through.

kopf decides neither, so this is done in the session that it is given: kinds that are read by name
are listed and watched by their metadata only, and nesting is limited where users choose it.
"""

from collections.abc import AsyncIterator, Callable
from ssl import SSLContext
from typing import cast

import aiohttp

from halimede.adapters.cluster import AGENT
from halimede.adapters.kinds import MODEL_DEPLOYMENT, REFERENCED
from halimede.adapters.nesting import limit_depth

LIST_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
WATCH_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def watch_session(
    ssl: SSLContext, headers: dict[str, str], proxy: str | None
) -> aiohttp.ClientSession:
    """Create the session; the caller closes it.

    Args:
        ssl: The context for the API server's certificate and ours.
        headers: The credentials.
        proxy: The URL of a proxy.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=ssl),
        headers={"User-Agent": AGENT, **headers},
        proxy=proxy,
        middlewares=(_adapt,),
    )


async def _adapt(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    plural = request.url.path.rpartition("/")[2]
    by_metadata = plural in {kind.plural for kind in REFERENCED}
    if by_metadata:
        watches = request.url.query.get("watch") == "true"
        request.headers["Accept"] = WATCH_METADATA if watches else LIST_METADATA
    response = await handler(request)
    if by_metadata or plural == MODEL_DEPLOYMENT.plural:
        correct = _without_null if by_metadata else limit_depth
        content = _CorrectedContent(response.content, correct)
        response.content = cast("aiohttp.StreamReader", content)
    return response


def _without_null(text: bytes) -> bytes:
    """Return a list with an array of items; the API server writes null for custom resources."""
    return text.replace(b'"items":null', b'"items":[]')


class _CorrectedContent:
    """The content of a response: each line of a watch, or the whole list, is corrected."""

    def __init__(self, content: aiohttp.StreamReader, correct: Callable[[bytes], bytes]) -> None:
        self._content = content
        self._correct = correct

    async def read(self) -> bytes:
        """Return the whole body of a list."""
        return self._correct(await self._content.read())

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield the lines of a watch; each is an event."""
        lines = bytearray()
        async for chunk in self._content.iter_chunked(size):
            lines += chunk
            end = lines.rfind(b"\n") + 1
            for line in bytes(lines[:end]).splitlines(keepends=True):
                yield self._correct(line)
            del lines[:end]
        yield self._correct(bytes(lines))

    def __getattr__(self, name: str) -> object:
        return getattr(self._content, name)
