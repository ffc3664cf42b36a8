"""The model in a real Triton, called by the demo's clients."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np

from harness.callers import Caller, GrpcCaller, HttpCaller
from harness.data import digits
from harness.images import Images
from harness.records import Outcome, Protocol, Record
from tests.demo.triton_server import Server

Serve = Callable[[str], Server]


@asynccontextmanager
async def callers(server: Server) -> AsyncIterator[tuple[Caller, Caller]]:
    """Open one caller per protocol."""
    http = HttpCaller(server.http, "digits.example.com", "digits")
    grpc = GrpcCaller(server.grpc, "digits.example.com", "digits")
    try:
        yield http, grpc
    finally:
        await http.close()
        await grpc.close()


def inky(images: Images, *, more: bool) -> Images:
    """Return the images with more ink than v3 accepts, or the others."""
    ink = images.pixels.sum(axis=1)
    return images.pick(np.flatnonzero(ink > 350 if more else ink <= 350))


async def ask_both(server: Server, images: Images) -> list[Record]:
    """Classify the same images over both protocols."""
    async with callers(server) as both:
        return [await caller.ask(images) for caller in both]


async def test_a_good_version_answers_over_both_protocols(serve: Serve) -> None:
    """v2 classifies a batch over HTTP and gRPC, and names itself as v2."""
    server = serve("v2")
    assert server.ready(), server.log.read_text()
    images = digits()[1].pick(range(20))
    records = await ask_both(server, images)
    assert [one.protocol for one in records] == [Protocol.HTTP, Protocol.GRPC]
    assert [(one.outcome, one.status, one.version) for one in records] == [
        (Outcome.OK, "200", "v2"),
        (Outcome.OK, "OK", "v2"),
    ]
    assert records[0].right == records[1].right >= 19


async def test_v3_fails_on_inky_images_only(serve: Serve) -> None:
    """v3 fails with its name on inky images, and is as good as v2 on others."""
    server = serve("v3")
    assert server.ready(), server.log.read_text()
    _, ask = digits()
    bad = await ask_both(server, inky(ask, more=True).pick([0]))
    assert [(one.outcome, one.status, one.version) for one in bad] == [
        (Outcome.MODEL_ERROR, "500", "v3"),
        (Outcome.MODEL_ERROR, "INTERNAL", "v3"),
    ]
    good = await ask_both(server, inky(ask, more=False).pick(range(8)))
    assert [one.outcome for one in good] == [Outcome.OK, Outcome.OK]


async def test_v4_fails_on_batches_only(serve: Serve) -> None:
    """v4 answers single images and fails on batches."""
    server = serve("v4")
    assert server.ready(), server.log.read_text()
    _, ask = digits()
    single = await ask_both(server, ask.pick([0]))
    assert [one.outcome for one in single] == [Outcome.OK, Outcome.OK]
    batch = await ask_both(server, ask.pick([0, 1]))
    assert [one.outcome for one in batch] == [Outcome.MODEL_ERROR, Outcome.MODEL_ERROR]


def test_v5_never_loads(serve: Serve) -> None:
    """Triton does not start with v5, and its log says why."""
    server = serve("v5")
    assert not server.ready()
    assert "the weights do not fit the graph" in server.log.read_text()


async def test_requests_without_a_pod_are_lost() -> None:
    """Without a server, both callers return a lost request instead of raising."""
    nobody = "127.0.0.1:9"
    http = HttpCaller(nobody, "digits.example.com", "digits")
    grpc = GrpcCaller(nobody, "digits.example.com", "digits")
    images = digits()[1].pick([0])
    records = [await caller.ask(images) for caller in (http, grpc)]
    await http.close()
    await grpc.close()
    assert [(one.outcome, one.version) for one in records] == [(Outcome.LOST, "")] * 2
    assert [one.status for one in records] == ["ClientConnectorError", "UNAVAILABLE"]
