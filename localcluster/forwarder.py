"""Forward connections from outside the cluster's network namespace to addresses inside.

A socket keeps the network namespace it was made in. The listening sockets are made outside and
passed to this process, which runs inside: it accepts connections from outside, and connects to
addresses inside.
"""

import asyncio
import contextlib
import json
import socket
import sys

CHUNK = 256 * 1024
"""Bytes read at once; a larger value does not increase the throughput."""


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def forward(listening: socket.socket, host: str, port: int) -> None:
    """Serve a listening socket for ever: join each connection with one to ``host``:``port``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            inner = await asyncio.open_connection(host, port, limit=CHUNK)
            await _join((reader, writer), inner)
        # The connection has ended, a side has failed, or nothing listens inside.
        writer.transport.abort()

    server = await asyncio.start_server(serve, sock=listening, limit=CHUNK)
    await server.serve_forever()


async def _join(outer: Connection, inner: Connection) -> None:
    """Forward both directions until both have ended, or one side fails."""
    try:
        async with asyncio.TaskGroup() as directions:
            directions.create_task(_carry(outer[0], inner[1]))
            directions.create_task(_carry(inner[0], outer[1]))
    except* OSError:
        pass
    finally:
        inner[1].transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forward one direction until its end, then send end-of-file to the other side."""
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def _main(routes: list[tuple[int, str, int]]) -> None:
    await asyncio.gather(
        *(forward(socket.socket(fileno=number), host, port) for number, host, port in routes)
    )


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
