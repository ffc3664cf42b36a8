"""Rendered routes for testers and copies of requests, on a real gateway."""

import asyncio
from typing import Any

import aiohttp
import grpc
import grpc.aio

from halimede.api.v1alpha1 import ModelDeployment
from halimede.render.traffic import Backend, render_traffic
from tests.localcluster.addons.callers import METHOD, open_channel
from tests.localcluster.addons.manifests import Manifest
from tests.localcluster.addons.world import World
from tests.support.waiting import wait_until_async

HOST = "testers.example.com"
HEADERS = {"X-Tester": "yes", "X-Team": "vision"}
CANARY: Manifest = {
    "match": {"headers": [{"name": name, "value": value} for name, value in HEADERS.items()]}
}


def rendered(namespace: str, **asked: Any) -> Manifest:
    """Render the route of a canary without weight, without an owner."""
    md = ModelDeployment.from_manifest(
        {
            "metadata": {"name": "digits", "namespace": namespace, "uid": "1", "generation": 1},
            "spec": {
                "model": {"storageUri": "pvc://m/d", "config": {"backend": "python"}},
                "expose": {
                    "type": "Gateway",
                    "gateway": {
                        "parentRefs": [{"name": "public", "namespace": "gateway-system"}],
                        "hostnames": [HOST],
                    },
                },
                "rollout": {"canary": CANARY},
            },
        }
    )
    backends = (Backend("a", 100), Backend("b", 0))
    route = render_traffic(md, backends, **asked)[-1]
    metadata = {key: route["metadata"][key] for key in ("name", "namespace", "labels")}
    return route | {"metadata": metadata}


async def answers(here: World, headers: dict[str, str]) -> list[str]:
    """Call once over each protocol and return the names of the backends."""
    host, port = here.cluster.gateway
    metadata = tuple((name.lower(), value) for name, value in headers.items())
    url = f"http://{host}:{port}/v2/models/digits/infer"
    async with (
        aiohttp.ClientSession() as session,
        open_channel(here.cluster.gateway, HOST) as channel,
        session.post(url, headers={"Host": HOST} | headers) as answer,
    ):
        http = await answer.text()
        grpc = await channel.unary_unary(METHOD)(b"", timeout=10, metadata=metadata)
    return [http, grpc.decode()]


async def first_answers(here: World, headers: dict[str, str]) -> list[str]:
    """Call as `answers` does, until the proxies have the route."""
    try:
        return await answers(here, headers)
    except (aiohttp.ClientError, grpc.aio.AioRpcError):
        return []


async def test_headers_lead_testers_to_the_canary(here: World) -> None:
    """Requests with all headers go to the canary, over HTTP and gRPC; others to stable."""
    here.backend("digits-a")
    here.backend("digits-b")
    here.apply(rendered(here.namespace, testers=True))
    await wait_until_async(
        lambda: first_answers(here, HEADERS), lambda answered: answered == ["digits-b"] * 2
    )
    assert await answers(here, {}) == ["digits-a"] * 2
    assert await answers(here, {"X-Tester": "yes"}) == ["digits-a"] * 2
    assert await answers(here, HEADERS | {"X-Team": "sales"}) == ["digits-a"] * 2


async def test_copies_of_http_requests_are_counted(here: World) -> None:
    """Each request is copied and counted as the canary's; the copy's response is dropped."""
    here.backend("digits-a")
    here.backend("digits-b")
    here.apply(rendered(here.namespace, copies=100))
    answered = await wait_until_async(
        lambda: first_answers(here, {}), lambda answered: answered == ["digits-a"] * 2
    )
    for _ in range(50):
        answered += await answers(here, {})
    assert set(answered) == {"digits-a"}
    name = f"{here.namespace}_digits-b_8000"
    query = f'envoy_cluster_upstream_rq_xx{{envoy_cluster_name="{name}"}}'

    async def copied() -> float:
        return sum(float(one["value"][1]) for one in await asyncio.to_thread(here.query, query))

    assert await wait_until_async(copied, lambda count: count >= 50) <= len(answered) // 2
