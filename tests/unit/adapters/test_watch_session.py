"""The session of the watches: which responses it takes apart, and what is left for kopf."""

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halimede.adapters.kinds import DEPLOYMENT, INGRESS, MODEL_DEPLOYMENT, POD, Kind
from halimede.adapters.watch_session import WithoutObjects, find_kind
from halimede.api.base import Manifest


class Content:
    """The content of a response that arrives in chunks."""

    def __init__(self, *chunks: bytes) -> None:
        """Arrive in these chunks."""
        self.chunks = chunks

    async def read(self) -> bytes:
        """Return all chunks."""
        return b"".join(self.chunks)

    async def iter_chunked(self, _: int) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        for chunk in self.chunks:
            yield chunk


class Recorder:
    """Records what is delivered."""

    def __init__(self) -> None:
        """Start empty."""
        self.names: list[tuple[str, bool]] = []
        self.manifests: list[Manifest] = []

    def __call__(self, _: Kind, manifest: Manifest, *, deleted: bool) -> None:
        """Record a delivery."""
        self.names.append((manifest["metadata"]["name"], deleted))
        self.manifests.append(manifest)


def taken(recorder: Recorder, *chunks: bytes, kind: Kind = POD) -> WithoutObjects:
    """Return the content that kopf gets."""
    content = cast("aiohttp.StreamReader", Content(*chunks))
    return WithoutObjects(content, kind, recorder)


def event(name: str, version: int, kind: str = "ADDED") -> bytes:
    """Return a line of a watch."""
    metadata = {"name": name, "resourceVersion": str(version)}
    return json.dumps({"type": kind, "object": {"metadata": metadata}}).encode() + b"\n"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/v1/pods", POD),
        ("/api/v1/namespaces/a/pods", POD),
        ("/apis/apps/v1/namespaces/a/deployments", DEPLOYMENT),
        ("/k8s/clusters/c-1/apis/networking.k8s.io/v1/ingresses", INGRESS),
        ("/apis/extensions/v1beta1/ingresses", None),
        ("/api/v1/namespaces", None),
        ("/apis/apps/v1", None),
        ("/api/v1/namespaces/a/pods/p", None),
    ],
)
def test_only_collections_of_watched_kinds_are_taken_apart(path: str, kind: Kind | None) -> None:
    """A server may have a prefix; kopf's own requests, such as its discovery, stay as they are."""
    assert find_kind(path) is kind


@given(cut=st.lists(st.integers(0, 400), max_size=6))
async def test_every_event_is_delivered_once_wherever_chunks_end(cut: list[int]) -> None:
    """Given four events in chunks of any size, each is delivered, and kopf gets the versions."""
    stream = event("a", 1) + event("b", 2) + event("a", 3, "MODIFIED") + event("b", 4, "DELETED")
    ends = [0, *sorted(min(end, len(stream)) for end in cut), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(ends)]
    recorder = Recorder()
    lines = [json.loads(line) async for line in taken(recorder, *chunks).iter_chunked(1)]
    assert recorder.names == [("a", False), ("b", False), ("a", False), ("b", True)]
    assert [line["type"] for line in lines] == ["BOOKMARK"] * 4
    versions = [line["object"]["metadata"] for line in lines]
    assert versions == [{"resourceVersion": str(number)} for number in (1, 2, 3, 4)]


async def test_bookmarks_and_errors_are_for_kopf() -> None:
    """They pass as they are, because kopf reconnects by them."""
    gone = json.dumps({"type": "ERROR", "object": {"code": 410}}).encode() + b"\n"
    stream, recorder = event("", 7, "BOOKMARK") + gone, Recorder()
    passed = b"".join([line async for line in taken(recorder, stream).iter_chunked(1)])
    assert passed == stream
    assert recorder.names == []


async def test_an_incomplete_event_is_left_to_the_next_watch() -> None:
    """A connection that ends within a line delivers nothing, and the version does not move on."""
    recorder = Recorder()
    content = taken(recorder, event("a", 1) + event("b", 2)[:-9])
    assert len([line async for line in content.iter_chunked(1)]) == 1
    assert recorder.names == [("a", False)]


@pytest.mark.parametrize("items", [[{"metadata": {"name": "a"}}], [], None])
async def test_a_list_has_no_items_for_kopf(items: list[Any] | None) -> None:
    """The rest of the page stays: kopf continues with its token, and watches from its version."""
    metadata = {"resourceVersion": "5", "continue": "token"}
    page, recorder = {"kind": "PodList", "metadata": metadata, "items": items}, Recorder()
    left = json.loads(await taken(recorder, json.dumps(page).encode()).read())
    assert left == {"kind": "PodList", "metadata": metadata, "items": []}
    assert [name for name, _ in recorder.names] == [
        item["metadata"]["name"] for item in items or ()
    ]


async def test_a_deep_modeldeployment_is_cut() -> None:
    """The API server accepts ten thousand levels, more than any parser of ours."""
    deep = b'{"metadata":{"name":"a","resourceVersion":"1"},"spec":' + b"[" * 5000 + b"]" * 5000
    line, recorder = b'{"type":"ADDED","object":' + deep + b"}}\n", Recorder()
    assert [_ async for _ in taken(recorder, line, kind=MODEL_DEPLOYMENT).iter_chunked(1)]
    (manifest,) = recorder.manifests
    json.dumps(manifest)
