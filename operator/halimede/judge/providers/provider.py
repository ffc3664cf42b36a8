"""What the judge must know about a product to count requests and errors by its metrics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query
from halimede.judge.reading import Counts, MetricsRequest, Series

HTTP_PORT = 8000
GRPC_PORT = 8001
PORTS = (HTTP_PORT, GRPC_PORT)
GRPC_ERRORS = (2, 4, 8, 13, 14, 15)
"""UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS: the server
errors among https://grpc.github.io/grpc/core/md_doc_statuscodes.html."""

NOTHING = Counts()
ONE_REQUEST = Counts(requests=1)
ONE_ERROR = Counts(errors=1)
ONE_FAILED_REQUEST = Counts(requests=1, errors=1)
GRPC_CLIENT_ERRORS = (3, 5, 9, 11, 12)
"""INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED: the answers to a
request that the server considers wrong. A correct client gets them if the canary expects other
requests."""
CLIENT_LEFT = "499"
"""The HTTP status with which nginx and Traefik count clients that left before the response. It is
an error, as the client may have left because there was no response; impatient clients leave the
stable revision as often as the canary."""

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an increment of a counter by one means."""

    revision: str
    """The revision that the counter belongs to."""
    one: Counts
    """The counts per increment; zero if the counter only shows that the process was scraped."""
    client_errors: int = 0
    """The client errors per increment: 1 or 0."""


Reader = Callable[[Labels], Meaning | None]
"""Returns the meaning of a series with these labels; None: it belongs to neither revision."""


def reading(
    owner: Callable[[Labels], str | None],
    per_increment: Callable[[Labels], Counts],
    client_errors: Callable[[Labels], int] = lambda _: 0,
) -> Reader:
    """Build a reader.

    Args:
        owner: Returns the revision that a series belongs to.
        per_increment: Returns the counts per increment of a series.
        client_errors: Returns the client errors per increment of a series.
    """

    def read(labels: Labels) -> Meaning | None:
        revision = owner(labels)
        if revision is None:
            return None
        return Meaning(revision, per_increment(labels), client_errors(labels))

    return read


def by_status(status: str) -> Counts:
    """Return the counts of one request with an HTTP status."""
    failed = status.startswith("5") or status == CLIENT_LEFT
    return ONE_FAILED_REQUEST if failed else ONE_REQUEST


def client_errors_by_status(status: str) -> int:
    """Return the number of client errors, 1 or 0, of one request with an HTTP status."""
    return int(status.startswith("4") and status != CLIENT_LEFT)


@dataclass(frozen=True, slots=True)
class Provider:
    """A product whose counters count requests and errors."""

    labelling: LabelSchema
    """Which labels the product itself sets, and which of them differ only by outcome."""
    identity: tuple[str, ...]
    """Labels that identify a process, by priority: the first that is present is used. Two scrapers
    of the same process set the same value."""
    queries: Callable[[MetricsRequest, tuple[str, ...]], tuple[Query, ...]]
    """Returns the queries for the counters of these revisions."""
    reader: Callable[[MetricsRequest, Iterable[Series]], Reader]
    """Returns the reader for the series of an answer."""
    missing_message: Callable[[MetricsRequest], str]
    """Describes what is missing if the canary has no series, and what to do."""
    unusable_reason: Callable[[MetricsRequest, Iterable[Series]], str | None] = lambda _, __: None
    """Describes why the series of an answer cannot be used; None: they can."""
    by_revision: bool = True
    """Whether series name the revision. If they name its position in the route instead, they
    belong to another revision before a promotion."""


def services(request: MetricsRequest) -> dict[str, str]:
    """Map the revisions' Services to the revisions."""
    return {
        f"{request.name}-{revision}": revision for revision in (request.stable, request.canary)
    }


def own(labels: Labels, name: str) -> str:
    """Read a label that the process set, under either name that Prometheus stores it.

    If the scraper sets a label of that name too, Prometheus adds the prefix `exported_` to the
    process's label, unless `honor_labels` is set.
    """
    return labels.get(f"exported_{name}") or labels.get(name, "")


def no_series(metric: str, selector: Mapping[str, str], cure: str) -> str:
    """Describe a missing counter, and what to do about it."""
    labels = ", ".join(f"{label}{value}" for label, value in selector.items())
    return f"Prometheus has no {metric} with {labels}: {cure}"
