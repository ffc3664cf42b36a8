"""The handlers of probes and preStop hooks: httpGet, tcpSocket and exec."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from localcluster.node.downward_api import Json
from localcluster.node.sandbox import Process, Program, StartError, run_beside

HANDLERS = ("httpGet", "tcpSocket", "exec")
"""The handlers that `ask` supports."""

_AGENT = {"User-Agent": "kube-probe/process-node", "Accept": "*/*"}


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one handler."""

    success: bool
    message: str = ""
    """Why it failed, worded much like the kubelet's message."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running container, as probes and hooks reach it."""

    spec: Json
    address: str
    """The pod's address."""
    process: Process
    program: Program
    """The program that runs in it; programs of exec handlers get the same environment."""


async def ask(handler: Json, target: Target, seconds: float) -> Result:
    """Run the handler of a probe or hook once, for at most `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            if "httpGet" in handler:
                return await _http(handler["httpGet"], target)
            if "tcpSocket" in handler:
                return await _connect(handler["tcpSocket"], target)
            if "exec" in handler:
                return await _execute(handler["exec"], target)
    except TimeoutError:
        return Result(success=False, message=f"timed out after {seconds:g}s")
    kinds = ", ".join(handler)
    return Result(success=False, message=f"the process node knows no handler in: {kinds}")


def port_number(port: int | str, spec: Json) -> int:
    """Return a port given by number or by the name of one of the container's ports.

    Raise `LookupError` if the container has no port of that name.
    """
    if isinstance(port, int) or port.isdigit():
        return int(port)
    for candidate in spec.get("ports", []):
        if candidate.get("name") == port:
            return int(candidate["containerPort"])
    raise LookupError(f"couldn't find port: {port}")


async def _http(request: Json, target: Target) -> Result:
    headers: Mapping[str, str] = {
        **_AGENT,
        **{header["name"]: header["value"] for header in request.get("httpHeaders", [])},
    }
    # A connection for each probe, as in the kubelet: one that is kept open would count as a
    # client, for which Triton waits when it ends.
    connector = aiohttp.TCPConnector(ssl=False, force_close=True)
    try:
        port = port_number(request["port"], target.spec)
        host = request.get("host") or target.address
        url = f"{request.get('scheme', 'HTTP').lower()}://{host}:{port}"
        path = "/" + request.get("path", "").removeprefix("/")
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get(url + path, headers=headers, allow_redirects=False) as response,
        ):
            if 200 <= response.status < 400:
                return Result(success=True)
            return Result(
                success=False, message=f"HTTP probe failed with statuscode: {response.status}"
            )
    except (aiohttp.ClientError, OSError, LookupError) as error:
        return Result(success=False, message=str(error))


async def _connect(request: Json, target: Target) -> Result:
    try:
        port = port_number(request["port"], target.spec)
        _, writer = await asyncio.open_connection(request.get("host") or target.address, port)
        writer.close()
        await writer.wait_closed()
    except (OSError, LookupError) as error:
        return Result(success=False, message=str(error))
    return Result(success=True)


async def _execute(request: Json, target: Target) -> Result:
    program = Program(
        request.get("command", []),
        target.program.environment,
        target.program.directory,
        target.program.no_new_privileges,
        target.program.drop_capabilities,
    )
    try:
        code, output = await run_beside(target.process, program, None)
    except (StartError, ProcessLookupError) as error:
        return Result(success=False, message=str(error))
    return Result(success=code == 0, message=output if code else "")
