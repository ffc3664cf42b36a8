"""Write a pod's status to the API server, and delete the object of a pod that has ended."""

import asyncio
import logging
from collections.abc import Callable

from localcluster.node.api import UNREACHABLE, Api, ApiError
from localcluster.node.downward_api import Json

logger = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_GONE_OR_REPLACED = (404, 409)


class Reporter:
    """Writes a pod's status when it has changed; changes in quick succession are merged."""

    def __init__(self, api: Api, pod: Json, status: Callable[[Json], Json]) -> None:
        """Write what `status` returns, which it computes from what was written last."""
        self._api = api
        self._pod = pod
        self._status = status
        self._written: Json = {}
        self._changed = asyncio.Event()

    def note_change(self) -> None:
        """Report the status again soon."""
        self._changed.set()

    async def run(self) -> None:
        """Write changes until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            if not await self.report():
                await asyncio.sleep(_RETRY_SECONDS)
                self._changed.set()

    async def report(self) -> bool:
        """Write the status if it differs from the one written last; return False on a failure."""
        status = self._status(self._written)
        if status == self._written:
            return True
        # The uid makes the write fail if another pod has the name by now.
        body = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": status}
        try:
            await self._api.patch(f"{_path(self._pod)}/status", body)
        except UNREACHABLE as error:
            if not _is_over(error):
                logger.warning(
                    "%s: status not written: %s", _path(self._pod), error or "timed out"
                )
                return False
        self._written = status
        return True


async def delete_now(api: Api, pod: Json) -> None:
    """Delete a pod's object, as the kubelet does after its containers; retry until it is gone."""
    options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
    while True:
        try:
            await api.delete(_path(pod), options)
        except UNREACHABLE as error:
            if not _is_over(error):
                logger.warning("%s: not deleted: %s", _path(pod), error or "timed out")
                await asyncio.sleep(_RETRY_SECONDS)
                continue
        return


def _path(pod: Json) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _is_over(error: Exception) -> bool:
    """Return whether the object is gone already, or another one has its name."""
    return isinstance(error, ApiError) and error.status in _GONE_OR_REPLACED
