"""Responses by which the API server asks to send a request again later."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration

from halimede.adapters.cluster import RETRY_SECONDS, KubeCluster
from halimede.adapters.errors import NotLeaderError, TransientError
from halimede.adapters.kinds import CONFIG_MAP
from halimede.adapters.precedence import Precedence
from halimede.adapters.responses import retry_after

LIVE = {"metadata": {"name": "m", "namespace": "ml"}}


@dataclass
class Throttled:
    """A server that rejects the first requests."""

    rejections: list[tuple[int, dict[str, str]]]
    """The statuses and headers of the first responses."""
    times: list[float] = field(default_factory=list)
    """When there was a request."""
    methods: list[str] = field(default_factory=list)
    """The requests' methods."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at the first one."""

    async def answer(self, request: web.Request) -> web.Response:
        """Reject a request, or return an object."""
        self.methods.append(request.method)
        self.times.append(asyncio.get_running_loop().time())
        self.asked.set()
        if self.rejections:
            status, headers = self.rejections.pop(0)
            return web.json_response({"message": "busy"}, status=status, headers=headers)
        return web.json_response(LIVE)


@asynccontextmanager
async def client(server: Throttled, **options: object) -> AsyncIterator[KubeCluster]:
    """Serve on loopback, and connect the operator's client."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    cluster = KubeCluster(Configuration(host=f"http://{host}:{port}"), **options)  # type: ignore[arg-type]
    try:
        yield cluster
    finally:
        await cluster.close()
        await runner.cleanup()


@pytest.mark.parametrize("status", [429, 503])
async def test_a_request_is_sent_again_after_the_delay(status: int) -> None:
    """Given a Retry-After, the request is repeated, and not sooner than the server asks."""
    server = Throttled([(status, {"Retry-After": "1"})])
    async with client(server) as cluster:
        assert await cluster.get(CONFIG_MAP, "ml", "m") == LIVE
    first, second = server.times
    assert second - first >= 1


async def test_a_request_that_waits_holds_no_connection() -> None:
    """Given one connection, another request is answered during the delay of the first one."""
    server = Throttled([(429, {"Retry-After": "1"})])
    async with client(server, connections=1) as cluster:
        first = asyncio.create_task(cluster.get(CONFIG_MAP, "ml", "m"))
        await server.asked.wait()
        await cluster.get(CONFIG_MAP, "ml", "other")
        assert not first.done()
        await first


async def test_other_writes_wait_for_one_with_precedence() -> None:
    """Given a write with precedence that is rejected, another one is sent after its success.

    The other one may already have been sent when the first one is rejected.
    """
    server = Throttled([(429, {"Retry-After": "1"})] * 3)
    async with client(server) as cluster:
        first = asyncio.create_task(cluster.with_precedence().post(CONFIG_MAP, LIVE))
        await server.asked.wait()
        await asyncio.gather(first, cluster.replace(CONFIG_MAP, LIVE))
    assert server.methods[-1] == "PUT"
    assert set(server.methods[2:-1]) == {"POST"}


async def test_reads_do_not_wait_for_a_write_with_precedence() -> None:
    """Given a write that is rejected and about to be sent again, a read is answered before."""
    server = Throttled([(429, {"Retry-After": "1"})])
    async with client(server) as cluster:
        first = asyncio.create_task(cluster.with_precedence().post(CONFIG_MAP, LIVE))
        await server.asked.wait()
        await cluster.get(CONFIG_MAP, "ml", "m")
        assert not first.done()
        await first
    assert server.methods == ["POST", "GET", "POST"]


async def test_other_writes_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a write that is rejected for longer than the others wait, they are sent."""
    monkeypatch.setattr("halimede.adapters.precedence.HELD_SECONDS", 0.01)
    precedence = Precedence()
    with precedence.hold_others():
        await precedence.wait()


async def test_a_delay_that_is_too_long_is_left_to_the_queue() -> None:
    """Given a delay beyond the limit of one request, the error has it, and nothing is repeated."""
    delay = int(RETRY_SECONDS) + 1
    server = Throttled([(429, {"Retry-After": f"{delay}"})])
    async with client(server) as cluster:
        with pytest.raises(TransientError, match="busy") as raised:
            await cluster.get(CONFIG_MAP, "ml", "m")
    assert raised.value.retry_after == delay
    assert len(server.times) == 1


async def test_a_write_is_repeated_only_by_the_leader() -> None:
    """Given a replica that has lost the lease during the delay, the write is not sent again."""
    server, checks = Throttled([(429, {"Retry-After": "1"})]), [None, NotLeaderError("lost")]

    def check() -> None:
        if error := checks.pop(0):
            raise error

    async with client(server, before_write=check) as cluster:
        with pytest.raises(NotLeaderError):
            await cluster.post(CONFIG_MAP, LIVE)
    assert len(server.times) == 1


@pytest.mark.parametrize(
    ("status", "header"),
    [(429, ""), (429, "0"), (503, "Wed, 21 Oct 2026 07:28:00 GMT"), (429, "-1"), (409, "1")],
)
def test_other_responses_are_not_repeated(status: int, header: str) -> None:
    """Given no number of seconds, or an error that a repetition does not change, none is due."""
    assert retry_after(status, {"Retry-After": header} if header else {}) is None
