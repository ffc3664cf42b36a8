"""The HTTP session of the watches, which takes the objects out of the responses.

kopf finds the resources, lists and watches them, and reconnects. For each object that it is given
it keeps a record for ever, and for each event it runs a task; both cost more than all that we do
with the event. So the session delivers the objects itself. It gives kopf lists without items, and
bookmarks in place of events: these contain the version from which a watch goes on.

Users decide how many objects there are, how large and how deep. So kinds that are read by name are
listed and watched by their metadata only, and the nesting of ModelDeployments is limited.
"""

import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, Protocol, cast

import aiohttp
import orjson

from halimede.adapters.cluster import AGENT
from halimede.adapters.kinds import MODEL_DEPLOYMENT, REFERENCED, WATCHED, Kind
from halimede.adapters.nesting import limit_depth
from halimede.api.base import Manifest

LIST_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
WATCH_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
OBJECT_EVENTS = frozenset({"ADDED", "MODIFIED", "DELETED"})
_COLLECTION = re.compile(r"/(api/v1|apis/[^/]+/[^/]+)(?:/namespaces/[^/]+)?/([^/]+)$")
_KINDS = {(kind.path(None).rpartition("/")[0][1:], kind.plural): kind for kind in WATCHED}


class Deliver(Protocol):
    """Takes the objects that the lists and watches deliver."""

    def __call__(self, kind: Kind, manifest: Manifest, *, deleted: bool) -> None:
        """Take the newest version of an object, or the last version of a deleted one."""


def watch_session(
    deliver: Deliver, ssl: SSLContext, headers: dict[str, str], proxy: str | None
) -> aiohttp.ClientSession:
    """Create the session; the caller closes it.

    Args:
        deliver: Takes the objects.
        ssl: The context for the API server's certificate and ours.
        headers: The credentials.
        proxy: The URL of a proxy.
    """

    async def take_objects(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        kind = find_kind(request.url.path)
        if kind in REFERENCED:
            watches = request.url.query.get("watch") == "true"
            request.headers["Accept"] = WATCH_METADATA if watches else LIST_METADATA
        response = await handler(request)
        if kind is not None and response.status == HTTPStatus.OK:
            content = WithoutObjects(response.content, kind, deliver)
            response.content = cast("aiohttp.StreamReader", content)
        return response

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=ssl),
        headers={"User-Agent": AGENT, **headers},
        proxy=proxy,
        middlewares=(take_objects,),
    )


def find_kind(path: str) -> Kind | None:
    """Return the watched kind whose collection is at *path*, which may begin with a prefix."""
    collection = _COLLECTION.search(path)
    return _KINDS.get((collection[1], collection[2])) if collection else None


class WithoutObjects:
    """The content of a response for kopf; the objects in it are delivered."""

    def __init__(self, content: aiohttp.StreamReader, kind: Kind, deliver: Deliver) -> None:
        """Deliver the objects of *kind* that *content* has."""
        self._content, self._kind, self._deliver = content, kind, deliver

    async def read(self) -> bytes:
        """Return a page of a list without its items."""
        page = self._parse(await self._content.read())
        # The API server writes null for an empty list of custom resources.
        for manifest in page["items"] or ():
            self._deliver(self._kind, manifest, deleted=False)
        return orjson.dumps(page | {"items": []})

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yield the lines of a watch, with a bookmark in place of each event of an object.

        An incomplete last line is dropped: the next watch begins before it.
        """
        received = bytearray()
        async for chunk in self._content.iter_chunked(size):
            received += chunk
            end = received.rfind(b"\n") + 1
            lines = bytes(received[:end]).splitlines(keepends=True)
            del received[:end]
            for line in lines:
                yield self._take(line)

    def _take(self, line: bytes) -> bytes:
        event = self._parse(line)
        if event["type"] not in OBJECT_EVENTS:
            return line
        manifest = event["object"]
        self._deliver(self._kind, manifest, deleted=event["type"] == "DELETED")
        version = {"metadata": {"resourceVersion": manifest["metadata"]["resourceVersion"]}}
        return orjson.dumps(
            {"type": "BOOKMARK", "object": version}, option=orjson.OPT_APPEND_NEWLINE
        )

    def _parse(self, text: bytes) -> dict[str, Any]:
        # The schemas of the other kinds limit their nesting.
        limited = limit_depth(text) if self._kind is MODEL_DEPLOYMENT else text
        parsed: dict[str, Any] = orjson.loads(limited)
        return parsed

    def __getattr__(self, name: str) -> object:
        """Return an attribute of the content."""
        return getattr(self._content, name)
