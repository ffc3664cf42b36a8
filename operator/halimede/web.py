"""What the operator serves: `/healthz`, `/readyz`, `/metrics`."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], str | None]
"""Tells what is wrong, or None."""


@asynccontextmanager
async def serve(port: int, *, healthy: Probe, ready: Probe) -> AsyncIterator[int]:
    """Serve until the context ends; yield the port, which differs from *port* if that is 0."""

    async def show_metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    site = web.Application()
    site.router.add_get("/healthz", _probe(healthy))
    site.router.add_get("/readyz", _probe(ready))
    site.router.add_get("/metrics", show_metrics)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    try:
        # One socket for both families: two would get two different ports where *port* is 0.
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        listening = socket.create_server(("", port), family=family, dualstack_ipv6=both)
        await web.SockSite(runner, listening).start()
        yield listening.getsockname()[1]
    finally:
        await runner.cleanup()


def _probe(probe: Probe) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        wrong = probe()
        return web.Response(text=wrong or "ok", status=503 if wrong else 200)

    return answer
