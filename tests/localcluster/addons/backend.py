"""A fake model server that answers HTTP and gRPC with its name. Runs inside the cluster.

``backend.py NAME ADDRESS HTTP_PORT GRPC_PORT``; prints a line when both listen. On SIGTERM it
finishes open requests. A gRPC request whose body is ``fail`` is answered with INTERNAL.
"""

import asyncio
import signal
import sys

import grpc
import grpc.aio
from aiohttp import web

WORK = 0.02
"""Seconds per request, so that some are always in flight."""


async def main(name: str, address: str, http_port: str, grpc_port: str) -> None:
    """Serve until SIGTERM."""
    runner = web.AppRunner(_application(name))
    await runner.setup()
    await web.TCPSite(runner, address, int(http_port)).start()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_service(name),))
    server.add_insecure_port(f"{address}:{grpc_port}")
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sys.stdout.write("up\n")
    sys.stdout.flush()
    await stop.wait()
    await asyncio.gather(server.stop(grace=5), runner.cleanup())


def _application(name: str) -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        await request.read()
        await asyncio.sleep(WORK)
        return web.Response(text=name)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(text='answers_total{model="digits"} 7\n')

    application = web.Application()
    application.router.add_get("/metrics", metrics)
    application.router.add_route("*", "/{path:.*}", answer)
    return application


def _service(name: str) -> grpc.GenericRpcHandler:
    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await asyncio.sleep(WORK)
        if request == b"fail":
            await context.abort(grpc.StatusCode.INTERNAL, "as asked")
        return name.encode()

    methods = {"ModelInfer": grpc.unary_unary_rpc_method_handler(answer)}
    return grpc.method_handlers_generic_handler("inference.GRPCInferenceService", methods)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
