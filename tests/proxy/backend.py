"""A model server that answers, fails or hangs as each request specifies."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from aiohttp import web

STATUSES = {"ok": 200, "refuse": 400, "fail": 503}
CODES = {
    "refuse": grpc.StatusCode.INVALID_ARGUMENT,
    "fail": grpc.StatusCode.UNAVAILABLE,
}


@dataclass
class Backend:
    """The header `does` has one word for each attempt; the last one also for later attempts."""

    http_port: int = 0
    grpc_port: int = 0
    attempts: Counter[str] = field(default_factory=Counter)
    """Attempts by the header `id`."""

    def task(self, id_: str, does: str) -> str:
        """Record an attempt and return what to do with it."""
        words = does.split()
        self.attempts[id_] += 1
        return words[min(self.attempts[id_], len(words)) - 1]

    async def http(self, request: web.Request) -> web.StreamResponse:
        """Answer over HTTP."""
        task = self.task(request.headers["id"], request.headers["does"])
        if task == "hang":
            await _forever()
        if task != "begin":
            return web.Response(status=STATUSES[task])
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"the beginning")
        await _forever()
        return response


class Calls(grpc.GenericRpcHandler):
    """Answer over gRPC."""

    def __init__(self, backend: Backend) -> None:
        """Handle requests as they specify, and record them in this task."""
        self.backend = backend

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Handle any call."""
        asked = dict(details.invocation_metadata)
        task = self.backend.task(asked["id"], asked["does"])

        async def stream(_: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            if task in CODES:
                await context.abort(CODES[task], task)
            if task != "hang":
                yield b"the beginning"
            if task != "ok":
                await _forever()

        return grpc.unary_stream_rpc_method_handler(stream)


@asynccontextmanager
async def serving() -> AsyncIterator[Backend]:
    """Serve on loopback."""
    backend = Backend()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", backend.http)
    runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    backend.http_port = runner.addresses[0][1]
    server = grpc.aio.server(handlers=[Calls(backend)])
    backend.grpc_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield backend
    finally:
        await server.stop(None)
        await runner.cleanup()


async def _forever() -> None:
    await asyncio.Event().wait()
