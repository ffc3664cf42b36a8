"""The one part of the kubelet's API that is served: logs, for `kubectl logs`.

The API server requests them over TLS; without a configured authority for kubelets it trusts any
certificate. Clients are not authenticated: only the cluster's own namespace can reach the port.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from aiohttp import web

from localcluster.node import logs
from localcluster.node.pod import PodRunner
from localcluster.node.status import Running

PORT = 10250
"""The kubelet's port."""


@asynccontextmanager
async def serve_logs(
    address: str,
    certificate: tuple[Path, Path],
    find_pod: Callable[[str, str], PodRunner | None],
    clock: Callable[[], float],
) -> AsyncIterator[None]:
    """Serve logs on `PORT` of an address, with a certificate and its key.

    `find_pod` returns a pod by namespace and name.
    """
    application = web.Application()
    server = _LogsServer(find_pod, clock)
    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", server.answer)
    application.router.add_route("*", "/{rest:.*}", _reject)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, address, PORT, ssl_context=context).start()
    try:
        yield
    finally:
        await runner.cleanup()


class _LogsServer:
    def __init__(
        self, find_pod: Callable[[str, str], PodRunner | None], clock: Callable[[], float]
    ) -> None:
        self._find_pod = find_pod
        self._clock = clock

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Return a container's log, and follow it if requested."""
        pod = self._find_pod(request.match_info["namespace"], request.match_info["pod"])
        container = pod.container(request.match_info["container"]) if pod else None
        if pod is None or container is None:
            raise web.HTTPNotFound(text=f"no container at {request.path} on this node\n")
        previous = request.query.get("previous") == "true"
        path = container.log(pod.folder, previous=previous)
        if not path.exists():
            which = "previous terminated container" if previous else "container"
            text = f'{which} "{container.spec["name"]}" in pod "{pod.name}" has no log yet'
            raise web.HTTPBadRequest(text=text)
        following = request.query.get("follow") == "true" and not previous

        def goes_on() -> bool:
            return following and isinstance(container.state.state, Running)

        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        async for part in logs.read(path, self._selection(request), follow=goes_on):
            await response.write(part)
        await response.write_eof()
        return response

    def _selection(self, request: web.Request) -> logs.Selection:
        """Parse the options of `kubectl logs`; `limitBytes` is ignored."""
        query = request.query
        since = None
        if "sinceSeconds" in query:
            since = self._clock() - float(query["sinceSeconds"])
        elif "sinceTime" in query:
            since = datetime.fromisoformat(query["sinceTime"]).timestamp()
        tail = int(query["tailLines"]) if "tailLines" in query else None
        return logs.Selection(tail, since, timestamps=query.get("timestamps") == "true")


async def _reject(request: web.Request) -> web.Response:
    what = request.path.strip("/").partition("/")[0]
    raise web.HTTPNotImplemented(text=f"the process node has logs, but no {what}\n")
