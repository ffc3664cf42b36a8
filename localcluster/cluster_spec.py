"""What the caller of `localcluster.cluster.up` and the supervisor it starts say to each other."""

import json
import os
import select
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self


class Part(StrEnum):
    """What a cluster may have beside its control plane."""

    NODE = "node"
    GATEWAY = "gateway"
    PROMETHEUS = "prometheus"


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """The cluster to start."""

    name: str
    directory: Path
    binaries: Path
    parts: frozenset[Part]
    kwok_nodes: int
    ports: Mapping[str, int]
    """The ports outside: ``api``, ``gateway``, ``prometheus``."""
    sockets: Mapping[str, int]
    """The descriptors of the sockets that listen there."""
    lifeline: int
    """The cluster ends when the other side of this pipe is closed."""
    teller: int
    """The pipe that takes the messages of `Teller`."""

    def to_json(self) -> str:
        """Write the order as one argument for a command."""
        plain = asdict(self) | {"parts": sorted(self.parts)}
        return json.dumps(plain, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        plain: dict[str, Any] = json.loads(text)
        plain["directory"] = Path(plain["directory"])
        plain["binaries"] = Path(plain["binaries"])
        plain["parts"] = frozenset(map(Part, plain["parts"]))
        return cls(**plain)


class StatusPipe:
    """The supervisor's end: one JSON object a line."""

    def __init__(self, descriptor: int) -> None:
        """Write into the pipe ``descriptor``."""
        self._descriptor = descriptor

    def born(self, pid: int) -> None:
        """Tell the id of process 1, as numbered outside."""
        self._tell(born=pid)

    def doing(self, what: str) -> None:
        """Tell what is being waited for."""
        self._tell(doing=what)

    def ready(self) -> None:
        """Tell that everything runs."""
        self._tell(ready=True)

    def failed(self, why: str) -> None:
        """Tell that the cluster cannot be started."""
        self._tell(failed=why)

    def _tell(self, **message: Any) -> None:
        os.write(self._descriptor, json.dumps(message).encode() + b"\n")


def listen(descriptor: int, within: float) -> Iterator[dict[str, Any]]:
    """Return the messages of a `Teller` as they come; end when its process has ended.

    Raise ``TimeoutError`` if neither is over ``within`` seconds.
    """
    deadline = time.monotonic() + within
    with os.fdopen(descriptor, "rb") as messages:
        read = b""
        while True:
            left = max(0.0, deadline - time.monotonic())
            if not select.select([messages], [], [], left)[0]:
                raise TimeoutError
            chunk = os.read(messages.fileno(), 65536)
            if not chunk:
                return
            *lines, read = (read + chunk).split(b"\n")
            yield from map(json.loads, lines)
