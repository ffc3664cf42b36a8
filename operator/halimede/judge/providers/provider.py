"""What one has to know of a product to count by its metrics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query
from halimede.judge.reading import Counts, MetricsRequest, Series

HTTP_PORT = 8000
GRPC_PORT = 8001
PORTS = (HTTP_PORT, GRPC_PORT)
GRPC_ERRORS = (2, 4, 8, 13, 14, 15)
"""UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS: the server's
faults among https://grpc.github.io/grpc/core/md_doc_statuscodes.html."""

NOTHING = Counts()
ONE_REQUEST = Counts(requests=1)
ONE_ERROR = Counts(errors=1)
ONE_FAILED_REQUEST = Counts(requests=1, errors=1)
GRPC_CLIENT_ERRORS = (3, 5, 9, 11, 12)
"""INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED: what a server
answers to a request that it takes for wrong. That of a good client may be, if the new revision
expects another one."""
CLIENT_LEFT = "499"
"""The status of HTTP by which nginx and Traefik tell that the client left before the response. It
is an error, as the client may have left because there was no response; clients in a hurry leave
the stable revision as often as the new one."""

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one more in a counter tells."""

    revision: str
    """Whose counter it is."""
    one: Counts
    """What one more means; nothing, if the counter only shows that the process was scraped."""
    client_errors: int = 0
    """How many client errors one more means: 1 or 0."""


Reader = Callable[[Labels], Meaning | None]
"""Says what a series means by its labels; None: it is of neither revision."""


def reading(
    owner: Callable[[Labels], str | None],
    one_more: Callable[[Labels], Counts],
    client_errors: Callable[[Labels], int] = lambda _: 0,
) -> Reader:
    """Read series by whose they are, and by what one more of them means."""

    def read(labels: Labels) -> Meaning | None:
        revision = owner(labels)
        if revision is None:
            return None
        return Meaning(revision, one_more(labels), client_errors(labels))

    return read


def by_status(status: str) -> Counts:
    """Say what one more request with a status of HTTP means."""
    failed = status.startswith("5") or status == CLIENT_LEFT
    return ONE_FAILED_REQUEST if failed else ONE_REQUEST


def client_errors_by_status(status: str) -> int:
    """Say how many client errors one more request with a status of HTTP means."""
    return int(status.startswith("4") and status != CLIENT_LEFT)


@dataclass(frozen=True, slots=True)
class Provider:
    """A product whose counters tell how requests fared."""

    labelling: LabelSchema
    """Which labels the product itself gives, and which of them only tell outcomes apart."""
    identity: tuple[str, ...]
    """The labels, the best first, of which the first that is there tells a process, however often
    it is scraped."""
    queries: Callable[[MetricsRequest, tuple[str, ...]], tuple[Query, ...]]
    """What to ask about these revisions."""
    reader: Callable[[MetricsRequest, Iterable[Series]], Reader]
    """How to read the series of an answer."""
    missing_message: Callable[[MetricsRequest], str]
    """What is missing if there is no series of the new revision, and what to do."""
    unusable_reason: Callable[[MetricsRequest, Iterable[Series]], str | None] = lambda _, __: None
    """What in an answer shows that these series cannot tell what they are asked for."""
    by_revision: bool = True
    """Whether series name the revision. Where they only name its place in the route, they are
    another revision's before a promotion."""


def services(request: MetricsRequest) -> dict[str, str]:
    """Map the revisions' Services to the revisions."""
    return {f"{request.name}-{one}": one for one in (request.stable, request.canary)}


def own(labels: Labels, name: str) -> str:
    """Read a label that the process gave, under whichever name Prometheus stored it.

    Where the scraper gives a label of that name too, Prometheus puts `exported_` before the
    process's, unless `honor_labels` is set.
    """
    return labels.get(f"exported_{name}") or labels.get(name, "")


def no_series(metric: str, selector: Mapping[str, str], cure: str) -> str:
    """Say which counter was looked for in vain."""
    wanted = ", ".join(f"{label}{value}" for label, value in selector.items())
    return f"Prometheus has no {metric} with {wanted}: {cure}"
