import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.localcluster.addons.callers import (
    Answer,
    Calls,
    call_grpc,
    call_http,
    calling,
    open_channel,
)
from tests.localcluster.addons.manifests import Manifest, endpoints, ingress, route
from tests.localcluster.addons.world import World
from tests.support.waiting import wait_until_async


async def apply(here: World, *manifests: Manifest) -> None:
    """Apply in a thread, without blocking the callers."""
    await asyncio.to_thread(here.apply, *manifests)


async def ask(here: World, hostname: str) -> list[Answer]:
    """Call once over each protocol."""
    host, port = here.cluster.gateway
    async with (
        aiohttp.ClientSession() as session,
        open_channel(here.cluster.gateway, hostname) as channel,
    ):
        http = await call_http(session, f"http://{host}:{port}/v2/health/ready", hostname)
        return [http, await call_grpc(channel)]


async def asked_until_good(here: World, hostname: str) -> list[Answer]:
    """Call over each protocol until both succeed, as after the creation of a route."""
    return await wait_until_async(
        lambda: ask(here, hostname), lambda answers: all(answer.good for answer in answers)
    )


@asynccontextmanager
async def under_load(here: World, hostname: str) -> AsyncIterator[Calls]:
    """Call continuously from the time at which the route serves."""
    await asked_until_good(here, hostname)
    async with calling(here.cluster.gateway, hostname) as calls:
        await calls.more(50)
        yield calls


async def test_one_route_carries_http_and_grpc(here: World) -> None:
    """On one hostname the path selects the rule; a response header names the revision."""
    here.backend("a")
    here.apply(route("digits", "one.example.com", {"a": 1}))
    assert await asked_until_good(here, "one.example.com") == [
        Answer("http", "200", "a", "a"),
        Answer("grpc", "OK", "a", "a"),
    ]


async def test_weights_share_out_the_requests(here: World) -> None:
    """With weights of 80 and 20 each protocol is split so, within five standard deviations."""
    here.backend("a")
    here.backend("b")
    here.apply(route("digits", "shares.example.com", {"a": 80, "b": 20}))
    async with under_load(here, "shares.example.com") as calls:
        await calls.more(1000)
    for protocol in ("http", "grpc"):
        of_a, of_b = calls.of("a", protocol), calls.of("b", protocol)
        deviation = (0.2 * 0.8 / (of_a + of_b)) ** 0.5
        assert of_b / (of_a + of_b) == pytest.approx(0.2, abs=5 * deviation)
    assert calls.bad == []


async def test_no_request_is_lost_while_a_new_backend_takes_over(here: World) -> None:
    """A backend added at weight 0 can get any weight under load."""
    here.backend("a")
    here.apply(route("digits", "canary.example.com", {"a": 1}))
    async with under_load(here, "canary.example.com") as calls:
        await asyncio.to_thread(here.backend, "b")
        await apply(here, route("digits", "canary.example.com", {"a": 100, "b": 0}))
        await calls.more(100)
        assert calls.of("b") == 0
        for weight in (5, 50, 100):
            await apply(
                here, route("digits", "canary.example.com", {"a": 100 - weight, "b": weight})
            )
            await calls.more(20, "b")
        await apply(here, route("digits", "canary.example.com", {"b": 1}))
        await calls.more(100)
    assert calls.bad == []


async def test_no_request_is_lost_when_a_backend_ends(here: World) -> None:
    """A backend whose endpoint was removed may end after its open requests."""
    here.backend("a", 1)
    leaving = here.backend("a", 2)
    here.apply(route("digits", "leaving.example.com", {"a": 1}))
    async with under_load(here, "leaving.example.com") as calls:
        await apply(here, endpoints("a", 2, leaving.port, ready=False))
        await calls.more(200)
        assert await asyncio.to_thread(leaving.terminate) == 0
        await calls.more(100)
    assert calls.bad == []


async def test_no_request_is_lost_when_contour_dies(here: World) -> None:
    """Envoy keeps its configuration, and gets a change when Contour is back."""
    here.backend("a")
    here.backend("b")
    here.apply(route("digits", "contour.example.com", {"a": 1, "b": 0}))
    async with under_load(here, "contour.example.com") as calls:
        await asyncio.to_thread(here.cluster.signal, "contour", signal.SIGKILL)
        await apply(here, route("digits", "contour.example.com", {"a": 0, "b": 1}))
        await calls.more(100, "b")
    assert calls.bad == []


async def test_the_gateway_comes_back_when_envoy_dies(here: World) -> None:
    """Envoy is restarted and serves the same routes."""
    here.backend("a")
    here.apply(route("digits", "envoy.example.com", {"a": 1}))
    await asked_until_good(here, "envoy.example.com")
    here.cluster.signal("envoy", signal.SIGKILL)
    assert await asked_until_good(here, "envoy.example.com")


async def test_an_ingress_serves_all_its_paths(here: World) -> None:
    """An Ingress of class ``contour`` passes HTTP and gRPC, and gets the gateway's address."""
    here.backend("a")
    here.apply(ingress("digits", "ingress.example.com", "a"))
    assert await asked_until_good(here, "ingress.example.com") == [
        Answer("http", "200", "a"),
        Answer("grpc", "OK", "a"),
    ]
    path = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    assert here.kubectl("get", "ingress", "digits", "-o", path) == "10.244.0.1"
