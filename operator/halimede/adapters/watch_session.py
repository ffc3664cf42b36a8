"""The HTTP session of the watches: what it asks for, and what it lets through.

kopf decides neither, so this is done in the session that it is given: kinds that are read by name
are listed and watched by their metadata only, and nesting is limited where users choose it.
"""

from collections.abc import AsyncIterator
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
    """Create the session; whoever gets it closes it.

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
    if plural in {kind.plural for kind in REFERENCED}:
        watches = request.url.query.get("watch") == "true"
        request.headers["Accept"] = WATCH_METADATA if watches else LIST_METADATA
    response = await handler(request)
    if plural == MODEL_DEPLOYMENT.plural:
        response.content = cast("aiohttp.StreamReader", _LimitedContent(response.content))
    return response


class _LimitedContent:
    """The lines of a response, each with limited nesting."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def read(self) -> bytes:
        """Return the whole body of a list."""
        return limit_depth(await self._content.read())

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield the lines of a watch; each is an event."""
        lines = bytearray()
        async for chunk in self._content.iter_chunked(size):
            lines += chunk
            end = lines.rfind(b"\n") + 1
            for line in bytes(lines[:end]).splitlines(keepends=True):
                yield limit_depth(line)
            del lines[:end]
        yield limit_depth(bytes(lines))

    def __getattr__(self, name: str) -> object:
        return getattr(self._content, name)
