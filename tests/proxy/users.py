"""Clients of the proxy that wait for the response or cancel the request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import aiohttp
import grpc

from tests.proxy.proxy import Proxy
from tests.support.series import CANARY
from tests.support.waiting import wait_until_async

METHOD = "/inference.GRPCInferenceService/ModelStreamInfer"
_NUMBERS = count()


async def ask(
    proxy: Proxy,
    amount: int,
    does: str,
    *,
    route: str = "plain",
    revision: str = CANARY,
    over: str = "HTTP",
    leave: bool = False,
) -> None:
    """Send concurrent requests, and return when all have ended.

    Args:
        proxy: The Envoy.
        amount: The number of requests.
        does: What the backend does in each attempt.
        route: How the proxy handles failures.
        revision: The revision of the backend.
        over: HTTP or gRPC.
        leave: Cancel when the backend has the last attempt and the response, if any, has begun.
    """
    async with asked(proxy, amount, does, route=route, revision=revision, over=over) as sent:
        if not leave:
            await asyncio.gather(*sent)


@asynccontextmanager
async def asked(
    proxy: Proxy,
    amount: int,
    does: str,
    *,
    route: str = "plain",
    revision: str = CANARY,
    over: str = "HTTP",
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Send concurrent requests as `ask` does, and cancel those that still wait."""
    send = _request if over == "HTTP" else _call
    headers = {"does": does, "route": route, "revision": revision}
    begun = [asyncio.Event() for _ in range(amount)]
    ids = [str(next(_NUMBERS)) for _ in range(amount)]
    sent = [
        asyncio.create_task(send(proxy.port, headers | {"id": id_}, one))
        for id_, one in zip(ids, begun, strict=True)
    ]

    async def missing() -> dict[str, int]:
        attempts = len(does.split())
        return {
            id_: proxy.backend.attempts[id_]
            for id_, one in zip(ids, sent, strict=True)
            if not one.done() and proxy.backend.attempts[id_] != attempts
        }

    await wait_until_async(missing, lambda attempts: not attempts)
    if does == "begin":
        await asyncio.gather(*(one.wait() for one in begun))
    yield sent
    for one in sent:
        one.cancel()
    await asyncio.gather(*sent, return_exceptions=True)


async def _request(port: int, headers: dict[str, str], begun: asyncio.Event) -> None:
    url = f"http://127.0.0.1:{port}/v2/models/digits/infer"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers=headers) as response,
    ):
        begun.set()
        await response.read()


async def _call(port: int, headers: dict[str, str], begun: asyncio.Event) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_stream(METHOD)(b"", metadata=tuple(headers.items()))
        with suppress(grpc.aio.AioRpcError):
            async for _ in call:
                begun.set()
