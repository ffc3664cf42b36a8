"""What a user has asked the API server for, in its audit log."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from halimede.api.base import Manifest
from localcluster.cluster import Cluster

Right = tuple[str, str, str]
"""API group, resource with its subresource, and verb, as in a rule of a role."""


class AuditLog:
    """The requests of one user since this was created."""

    def __init__(self, cluster: Cluster, user: str) -> None:
        """Start at the current end of the log of a cluster, in which there is a request already.

        Args:
            cluster: Its API server writes the log.
            user: The name in RBAC. Requests on behalf of the user (`kubectl --as`) do not count.
        """
        self._path, self._user = cluster.audit_log, user
        self._start = cluster.audit_log.stat()

    def used_rights(self) -> set[Right]:
        """Return the rights that successful requests have needed.

        An apply of an object that does not exist needs the right to create it as well; it is in
        the log as a patch that was answered with 201.
        """
        rights = set()
        for event in self._events():
            if "objectRef" in event and (code := _code(event)) < 400:
                rights.add(_right(event, event["verb"]))
                if (event["verb"], code) == ("patch", 201):
                    rights.add(_right(event, "create"))
        return rights

    def forbidden_requests(self) -> list[str]:
        """Return the requests that were rejected by RBAC or by an admission policy."""
        return [
            f"{event['verb']} {event['requestURI']}: {event['responseStatus'].get('message')}"
            for event in self._events()
            if _code(event) == 403
        ]

    def requests(self, namespace: str) -> Iterator[Manifest]:
        """Yield the audit events of the requests for objects of a namespace."""
        for event in self._events():
            if event.get("objectRef", {}).get("namespace") == namespace:
                yield event

    def _events(self) -> Iterator[Manifest]:
        for log, offset in self._files():
            with log.open("rb") as lines:
                lines.seek(offset)
                for line in lines:
                    # The API server may be writing the last line.
                    if self._user.encode() in line and line.endswith(b"\n"):
                        event = json.loads(line)
                        if event["user"]["username"] == self._user:
                            yield event

    def _files(self) -> list[tuple[Path, int]]:
        """Return the files with later requests, and where these begin: the log is rotated."""
        files = sorted(self._path.parent.glob("audit*.log"), key=os.path.getmtime)
        for number, file in enumerate(files):
            if file.stat().st_ino == self._start.st_ino:
                return [(file, self._start.st_size), *((one, 0) for one in files[number + 1 :])]
        return [(file, 0) for file in files]


def _right(event: Manifest, verb: str) -> Right:
    reference: dict[str, str] = event["objectRef"]
    parts = (reference["resource"], reference.get("subresource"))
    return reference.get("apiGroup", ""), "/".join(part for part in parts if part), verb


def _code(event: dict[str, Any]) -> int:
    code: int = event.get("responseStatus", {}).get("code", 0)
    return code
