"""Clients that change a model, or undo what the operator writes, without end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from itertools import count

from halimede.adapters.cluster import KubeCluster
from halimede.adapters.errors import OperatorError
from halimede.adapters.kinds import MODEL_DEPLOYMENT, SERVICE
from halimede.api.base import Manifest

LOOK_SECONDS = 0.2
"""How often a rival looks whether its value is still there."""
EDIT_SECONDS = 0.05
"""A spec is edited 20 times a second."""
WRONG = {"halimede.dev/name": "wrong"}
MERGE = "application/merge-patch+json"
Rival = Callable[[KubeCluster, str, str], Coroutine[None, None, None]]


async def undo_service(kube: KubeCluster, namespace: str, name: str) -> None:
    """Set the selector of the entry Service whenever the operator has restored it."""
    while True:
        live = await kube.get(SERVICE, namespace, name)
        if live is not None and live["spec"]["selector"] != WRONG:
            operation = {"op": "replace", "path": "/spec/selector", "value": WRONG}
            await _try(kube.patch(SERVICE, namespace, name, [operation]))
        await asyncio.sleep(LOOK_SECONDS)


async def undo_status(kube: KubeCluster, namespace: str, name: str) -> None:
    """Remove the conditions whenever the operator has written them."""
    path = MODEL_DEPLOYMENT.path(namespace, name, "status")
    while True:
        live = await kube.get(MODEL_DEPLOYMENT, namespace, name)
        if live is not None and live.get("status", {}).get("conditions"):
            body = {"status": {"conditions": None}}
            await _try(kube._request("PATCH", path, body, MERGE))
        await asyncio.sleep(LOOK_SECONDS)


async def edit_spec(kube: KubeCluster, namespace: str, name: str) -> None:
    """Change the image again and again: each change is another revision."""
    path = MODEL_DEPLOYMENT.path(namespace, name)
    for number in count():
        runtime = {"image": f"registry.example/triton:{number}"}
        await _try(kube._request("PATCH", path, {"spec": {"runtime": runtime}}, MERGE))
        await asyncio.sleep(EDIT_SECONDS)


@asynccontextmanager
async def fighting(
    kube: KubeCluster, namespace: str, rivals: Iterable[tuple[str, Rival]]
) -> AsyncIterator[None]:
    """Let each rival work on the model of its name during the block."""
    tasks = [asyncio.create_task(rival(kube, namespace, name)) for name, rival in rivals]
    try:
        yield
        for task in tasks:
            assert not task.done(), task.exception()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _try(write: Coroutine[None, None, Manifest]) -> None:
    """Await a write that may lose a race."""
    try:
        await write
    except OperatorError:
        return
