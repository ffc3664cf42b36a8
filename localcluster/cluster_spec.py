"""The messages between `localcluster.cluster.up` and the supervisor that it starts."""

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
    """An optional part of a cluster, beside its control plane."""

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
    api_server: tuple[str, ...]
    """Further arguments of the API server."""
    ports: Mapping[str, int]
    """The ports outside: ``api``, ``gateway``, ``prometheus``."""
    sockets: Mapping[str, int]
    """The descriptors of the sockets that listen there."""
    lifeline: int
    """The cluster ends when the other side of this pipe is closed."""
    teller: int
    """The pipe that takes the messages of `StatusPipe`."""

    def to_json(self) -> str:
        """Return the spec as JSON, for one command-line argument."""
        plain = asdict(self) | {"parts": sorted(self.parts)}
        return json.dumps(plain, default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse the output of `to_json`."""
        plain: dict[str, Any] = json.loads(text)
        plain["directory"] = Path(plain["directory"])
        plain["binaries"] = Path(plain["binaries"])
        plain["parts"] = frozenset(map(Part, plain["parts"]))
        plain["api_server"] = tuple(plain["api_server"])
        return cls(**plain)


class StatusPipe:
    """The supervisor's end of the status pipe: one JSON object a line."""

    def __init__(self, descriptor: int) -> None:
        """Write into the pipe ``descriptor``."""
        self._descriptor = descriptor

    def born(self, pid: int) -> None:
        """Report the id of process 1, as numbered outside."""
        self._write(born=pid)

    def doing(self, what: str) -> None:
        """Report what is being waited for."""
        self._write(doing=what)

    def ready(self) -> None:
        """Report that everything runs."""
        self._write(ready=True)

    def failed(self, why: str) -> None:
        """Report that the cluster cannot be started."""
        self._write(failed=why)

    def _write(self, **message: Any) -> None:
        os.write(self._descriptor, json.dumps(message).encode() + b"\n")


def listen(descriptor: int, within: float) -> Iterator[dict[str, Any]]:
    """Yield the messages of a `StatusPipe` as they arrive; end when its process has ended.

    Raise ``TimeoutError`` if it has not ended after ``within`` seconds.
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
