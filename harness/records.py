"""Record what users saw, one line per request, so that another process can follow along."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self


class Protocol(StrEnum):
    """The protocol of a request."""

    HTTP = "http"
    GRPC = "grpc"


class Outcome(StrEnum):
    """The outcome of a request."""

    OK = "ok"
    MODEL_ERROR = "model-error"
    """A model answered, with an error: the fault of one version."""
    LOST = "lost"
    """No model answered (no connection, reset, timeout, gateway's own 5xx)."""


@dataclass(frozen=True, slots=True)
class Record:
    """One request as its user saw it."""

    at: float
    """When it was sent, UNIX seconds."""
    protocol: Protocol
    outcome: Outcome
    status: str
    """HTTP status code or gRPC code name; the name of the exception if neither came back."""
    milliseconds: float
    version: str
    """The model version that answered, as it reports itself; empty if none did."""
    revision: str
    """The revision in the gateway's header ``x-halimede-revision``, or empty."""
    images: int
    right: int
    """How many of the images were classified correctly."""
    detail: str = ""
    """The message of the error."""

    def line(self) -> str:
        """Return the record as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, line: str) -> Self:
        """Parse the output of :meth:`line`."""
        fields = json.loads(line)
        protocol, outcome = Protocol(fields.pop("protocol")), Outcome(fields.pop("outcome"))
        return cls(protocol=protocol, outcome=outcome, **fields)


class Journal:
    """Reads a file of records while another process appends to it."""

    def __init__(self, path: Path) -> None:
        """Start at the beginning of ``path``, which need not exist yet."""
        self.path = path
        self.records: list[Record] = []
        self._offset = 0

    def catch_up(self) -> list[Record]:
        """Return the records appended since the last call; an incomplete line is read later."""
        fresh = [Record.parse(line) for line in self._whole_lines()]
        self.records += fresh
        return fresh

    def _whole_lines(self) -> Iterator[str]:
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return  # Its rest may come at any time, and would look like a line.
                self._offset += len(line)
                yield line.decode()


@dataclass(frozen=True, slots=True)
class Tally:
    """The counts of a set of requests."""

    requests: int = 0
    http: int = 0
    grpc: int = 0
    model_errors: int = 0
    lost: int = 0
    images: int = 0
    right: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """Count ``records``; only images of answered requests count as images."""
        items = list(records)
        answered = [record for record in items if record.outcome is Outcome.OK]
        http = sum(record.protocol is Protocol.HTTP for record in items)
        return cls(
            requests=len(items),
            http=http,
            grpc=len(items) - http,
            model_errors=sum(record.outcome is Outcome.MODEL_ERROR for record in items),
            lost=sum(record.outcome is Outcome.LOST for record in items),
            images=sum(record.images for record in answered),
            right=sum(record.right for record in answered),
        )

    @property
    def accuracy(self) -> float:
        """Share of classified images that were classified correctly; 0 without images."""
        return self.right / self.images if self.images else 0.0

    @property
    def error_share(self) -> float:
        """Share of requests that failed or were lost; 0 without requests."""
        return (self.model_errors + self.lost) / self.requests if self.requests else 0.0


def by_version(records: Iterable[Record]) -> dict[str, Tally]:
    """Count requests per model version, sorted by name; those without a version under ''."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.version, []).append(record)
    return {version: Tally.of(groups[version]) for version in sorted(groups)}
