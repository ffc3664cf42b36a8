"""Count the operator's requests in the API server's audit log."""

import json
from collections import Counter
from pathlib import Path

WRITES = frozenset({"create", "update", "patch", "delete"})
AGENTS = ("halimede/", "kopf/")
"""User agents of the operator: its own client, and kopf's watches."""


class AuditLog:
    """The audit log, and the offset up to which it has been read."""

    def __init__(self, path: Path) -> None:
        """Start at the current end of the log."""
        self._path = path
        self._offset = path.stat().st_size

    def count(self) -> Counter[tuple[str, str]]:
        """Count the requests since the last call, by verb and resource."""
        with self._path.open("rb") as log:
            log.seek(self._offset)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return Counter(
            (event["verb"], _resource(event))
            for event in map(json.loads, whole.splitlines())
            if event.get("userAgent", "").startswith(AGENTS)
            and event["stage"] == "ResponseComplete"
        )


def writes(requests: Counter[tuple[str, str]]) -> int:
    """Count the requests that write."""
    return sum(number for (verb, _), number in requests.items() if verb in WRITES)


def reads(requests: Counter[tuple[str, str]]) -> int:
    """Count the requests that read. A watch is a read, counted when it ends."""
    return sum(number for (verb, _), number in requests.items() if verb not in WRITES)


def _resource(event: dict[str, dict[str, str]]) -> str:
    reference = event.get("objectRef") or {}
    parts = (reference.get("resource", "-"), reference.get("subresource"))
    return "/".join(part for part in parts if part)
