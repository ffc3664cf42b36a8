"""Clients of the proxy, which wait for the end of the answer or leave."""

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
    """Send requests at the same time, and end when all of them have.

    Args:
        proxy: Through which Envoy.
        amount: How many.
        does: What the backend does about each attempt.
        route: What the proxy does about failures.
        revision: Whose the backend is.
        over: HTTP or gRPC.
        leave: Leave when the backend has seen the last attempt, and the answer has begun if it
            ever does.
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
    """Send requests at the same time, as `ask` does, and let clients that still wait leave."""
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
