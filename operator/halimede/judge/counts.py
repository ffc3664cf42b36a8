"""Which counters mean a request, and which an error, of which revision.

Measured with Envoy 1.40 and Triton 24.10:

- A gRPC error is a response of class 2 to Envoy, so the gRPC port is judged by `grpc_<code>`.
  Envoy's own refusals there (no endpoint, no connection, time-out) count as `grpc_14` *and* as
  class 5; reading the gRPC family alone counts them once. Only an upstream that answers a gRPC
  call in plain HTTP is missed, and Triton never does.
- A counter of a response class or a gRPC code appears with its first response, whereas
  `upstream_rq_total` is there as soon as the cluster is: it shows that the proxy was scraped.
- `nv_inference_request_success` includes errors that a Python model returns, and cancelled
  requests are failures of the client's, so they are neither requests nor errors here.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from halimede.judge.deltas import Process, doubled, increments, processes, watermark
from halimede.judge.reading import Counts, Measured, MetricsRequest, Source, Unavailable, Why

HTTP_PORT = 8000
GRPC_PORT = 8001
GRPC_ERRORS = (2, 4, 8, 13, 14, 15)
"""UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, DATA_LOSS: the server's
faults among https://grpc.github.io/grpc/core/md_doc_statuscodes.html."""

ROUTER_METRICS = (
    "envoy_cluster_upstream_rq_xx",
    "envoy_cluster_upstream_rq_total",
    "envoy_cluster_grpc_total",
    *(f"envoy_cluster_grpc_{code}" for code in GRPC_ERRORS),
)
TRITON_METRICS = ("nv_inference_request_success", "nv_inference_request_failure")

LOOKBACK = 600.0
"""Seconds before the watermark in which each counter's last counted sample is looked for."""

IDENTITY = {Source.ROUTER: "instance", Source.TRITON: "pod"}
"""The label that tells a process, however often it is scraped."""

ONE_REQUEST = Counts(requests=1)
ONE_ERROR = Counts(errors=1)
ONE_FAILED_REQUEST = Counts(requests=1, errors=1)
NOTHING = Counts()


@dataclass(frozen=True, slots=True)
class Counted:
    """What a source shows of the time since a watermark."""

    canary: Counts
    stable: Counts
    watermark: float
    """All of it happened up to here; the next poll counts from here on."""
    canary_seen_at: float | None
    """The newest sample of the canary; None: there is none."""
    interval: float
    """The longest time between two scrapes of one process, in seconds."""


def cluster(request: MetricsRequest, revision: str, port: int) -> str:
    """Name the Envoy cluster of a revision's Service port as Contour does in its metrics."""
    return f"{request.namespace}_{request.name}-{revision}_{port}"


def unit(source: Source, labels: Mapping[str, str]) -> Counts:
    """Say what one more in the counter with these labels means."""
    metric = labels.get("__name__", "")
    if source is Source.TRITON:
        if metric == "nv_inference_request_success":
            return ONE_REQUEST
        return NOTHING if labels.get("reason") == "CANCELED" else ONE_FAILED_REQUEST
    grpc = labels.get("envoy_cluster_name", "").endswith(f"_{GRPC_PORT}")
    if metric == "envoy_cluster_upstream_rq_xx" and not grpc:
        failed = labels.get("envoy_response_code_class") == "5"
        return ONE_FAILED_REQUEST if failed else ONE_REQUEST
    if metric == "envoy_cluster_grpc_total" and grpc:
        return ONE_REQUEST
    if metric.startswith("envoy_cluster_grpc_") and grpc:
        return ONE_ERROR
    return NOTHING


def is_of(
    source: Source, labels: Mapping[str, str], request: MetricsRequest, revision: str
) -> bool:
    """Tell whether a counter is one of *revision*'s."""
    if source is Source.TRITON:
        return labels.get("pod", "").startswith(f"{request.name}-{revision}-")
    ports = (HTTP_PORT, GRPC_PORT)
    name = labels.get("envoy_cluster_name")
    return any(name == cluster(request, revision, port) for port in ports)


def count(
    source: Source,
    measured: Measured,
    request: MetricsRequest,
    *,
    begun_at: float,
    after: float,
    pods_started: Mapping[str, float],
) -> Counted | Unavailable:
    """Count both revisions' requests and errors after the watermark *after*.

    *pods_started* as in `judge`; a pod counts from zero if it started after *begun_at* and all its
    life lies in what was asked for.
    """
    scraped = processes(measured.series)
    twice = doubled(scraped, IDENTITY[source])
    if twice is not None:
        return _scraped_twice(source, twice)
    upto = _upto(source, scraped, request, pods_started, after)
    oldest = max(begun_at, after - LOOKBACK)
    totals = {request.canary: Counts(), request.stable: Counts()}
    seen_at: float | None = None
    for process in scraped:
        young = pods_started.get(process.labels.get("pod", ""), 0.0) >= oldest
        for increment in increments(process, young=young):
            if after < increment.at <= upto:
                one = unit(source, increment.series.labels)
                for revision in totals:
                    if is_of(source, increment.series.labels, request, revision):
                        totals[revision] += times(one, increment.amount)
        if any(is_of(source, one.labels, request, request.canary) for one in process.series):
            seen_at = max(seen_at or 0.0, process.scrapes[-1])
    return Counted(
        canary=_consistent(totals[request.canary]),
        stable=_consistent(totals[request.stable]),
        watermark=upto,
        canary_seen_at=seen_at,
        interval=max((process.interval for process in scraped), default=0.0),
    )


def times(one: Counts, amount: int) -> Counts:
    """Multiply what one more of a counter means by how many more there are."""
    return Counts(one.requests * amount, one.errors * amount)


def _upto(
    source: Source,
    scraped: tuple[Process, ...],
    request: MetricsRequest,
    pods_started: Mapping[str, float],
    after: float,
) -> float:
    unseen: list[float] = []
    if source is Source.TRITON:
        seen = {process.labels.get("pod") for process in scraped}
        ours = tuple(f"{request.name}-{hash8}-" for hash8 in (request.stable, request.canary))
        unseen = [
            started
            for pod, started in pods_started.items()
            if pod.startswith(ours) and pod not in seen
        ]
    found = watermark(scraped, unseen)
    if found is None:  # and whatever comes later is newer than all that was asked for
        return max(after, request.now - LOOKBACK)
    return max(after, found)


def _consistent(counts: Counts) -> Counts:
    """Mend what a scrape saw between two counters' steps: an error is a request too."""
    return Counts(max(counts.requests, counts.errors), counts.errors)


def _scraped_twice(source: Source, identity: str) -> Unavailable:
    label = IDENTITY[source]
    return Unavailable(
        Why.DOUBLED,
        f'{source} counters of {label}="{identity}" are in Prometheus more than once, so every'
        " request would count twice: scrape it by one job only, or query an address that removes"
        " the copies of replicated Prometheus servers",
    )
