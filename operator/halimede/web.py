"""The HTTP server of the operator: `/healthz`, `/readyz`, `/metrics`."""

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from halimede.adapters.access_reviews import Denial

FindDenial = Callable[[str | None], Awaitable[Denial | None]]
"""Returns why a request with this header `Authorization` is denied, or None."""
Probe = Callable[[], str | None]
"""Returns what is wrong, or None."""


@asynccontextmanager
async def serve(
    port: int,
    *,
    healthy: Probe,
    ready: Probe,
    notes: Callable[[], str] = str,
    find_denial: FindDenial | None = None,
) -> AsyncIterator[int]:
    """Serve until the context ends; yield the port, which is a free one if *port* is 0.

    Args:
        port: Where to listen.
        healthy: Says what `/healthz` reports.
        ready: Says what `/readyz` reports.
        notes: Returns what `/readyz` reports besides that nothing is wrong.
        find_denial: Says who may read `/metrics`; None: everyone. The kubelet has no token for
            the probes, so these are always open.
    """

    async def show_metrics(request: web.Request) -> web.Response:
        if find_denial is not None:
            denial = await find_denial(request.headers.get("Authorization"))
            if denial is not None:
                return _deny(denial)
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    site = web.Application()
    site.router.add_get("/healthz", _probe(healthy, str))
    site.router.add_get("/readyz", _probe(ready, notes))
    site.router.add_get("/metrics", show_metrics)
    runner = web.AppRunner(site, access_log=None)
    await runner.setup()
    try:
        # One socket for dual_stack families: two would get two different ports where *port* is 0.
        dual_stack = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual_stack else socket.AF_INET
        listener = socket.create_server(("", port), family=family, dualstack_ipv6=dual_stack)
        await web.SockSite(runner, listener).start()
        yield listener.getsockname()[1]
    finally:
        await runner.cleanup()


def _deny(denial: Denial) -> web.Response:
    unknown = denial.status is HTTPStatus.UNAUTHORIZED
    challenge = {"WWW-Authenticate": "Bearer"} if unknown else {}
    return web.Response(status=denial.status, text=f"{denial.reason}\n", headers=challenge)


def _probe(
    probe: Probe, notes: Callable[[], str]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        problem = probe()
        text = problem or "\n".join(filter(None, ("ok", notes())))
        return web.Response(text=text, status=503 if problem else 200)

    return answer
