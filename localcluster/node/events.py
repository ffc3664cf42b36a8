"""Events about pods, as `kubectl describe pod` shows them."""

import logging
from typing import Any

from localcluster.node.api import UNREACHABLE, Api
from localcluster.node.status import timestamp

Json = dict[str, Any]

logger = logging.getLogger(__name__)

_REPEAT_SECONDS = 30.0


class Recorder:
    """Writes the events of one pod; a repeated event is counted, at most twice a minute."""

    def __init__(self, api: Api, node: str, pod: Json) -> None:
        """Write events about `pod`, with `node` as their source."""
        self._api = api
        self._node = node
        self._pod = pod["metadata"]
        self._written: dict[tuple[str, str], Json] = {}
        self._last: dict[tuple[str, str], float] = {}

    async def record(self, kind: str, reason: str, message: str, *, now: float) -> None:
        """Record an event of kind `Normal` or `Warning`; a failure to do so is only logged."""
        key = (reason, message)
        if now - self._last.get(key, float("-inf")) < _REPEAT_SECONDS:
            return
        self._last[key] = now
        path = f"/api/v1/namespaces/{self._pod['namespace']}/events"
        try:
            if key not in self._written:
                event = self._event(kind, reason, message, now)
                self._written[key] = await self._api.create(path, event)
                return
            count = self._written[key]["count"] + 1
            self._written[key] = await self._api.patch(
                f"{path}/{self._written[key]['metadata']['name']}",
                {"count": count, "lastTimestamp": timestamp(now)},
            )
        except UNREACHABLE as error:
            self._written.pop(key, None)
            logger.info("The event %s was not recorded: %s", reason, error)

    def _event(self, kind: str, reason: str, message: str, now: float) -> Json:
        return {
            "metadata": {
                "generateName": f"{self._pod['name']}.",
                "namespace": self._pod["namespace"],
            },
            "involvedObject": {
                "apiVersion": "v1",
                "kind": "Pod",
                **{key: self._pod[key] for key in ("name", "namespace", "uid")},
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "count": 1,
            "firstTimestamp": timestamp(now),
            "lastTimestamp": timestamp(now),
            "source": {"component": "halimede-node", "host": self._node},
        }
