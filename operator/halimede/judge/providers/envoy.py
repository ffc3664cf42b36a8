"""What Contour's and Envoy Gateway's proxies have in common: both are Envoy.

Measured with Envoy 1.40:

- A gRPC error is a response of class 2 to Envoy, so a gRPC cluster is judged by `grpc_<code>`.
  Envoy's own errors there (no endpoint, no connection, time-out) count as `grpc_14` *and* as
  class 5; reading only the gRPC family counts them once. This misses only upstreams that answer a
  gRPC call in plain HTTP, which Triton never does.
- A counter of a response class or a gRPC code appears with its first response, whereas
  `upstream_rq_total` exists as soon as the cluster does: it shows that the proxy was scraped.

The family of `grpc_<code>` exists only where the filter `grpc_stats` is configured:
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/grpc_stats_filter

Retries: the response of an attempt that is retried counts as `retry.upstream_rq_xx` only, and
`grpc_<code>` counts the last attempt only. So each request counts once, by its user's answer.

A request whose client leaves before the response begins has neither a class nor a gRPC code, and
no counter counts exactly these requests. By the end of one request to an upstream, Envoy adds to

=====================================  =====  =====  =========  =======
ended by                               total  class  abandoned  timeout
=====================================  =====  =====  =========  =======
a response                               1      1        0         0
the client, before a response            1      0        1         0
the client, during the response          1      1        1         0
a response before the request's end      1      1        1         0
`stream_idle_timeout`                    1      0        1         0
the route's timeout                      1      1        1         1
the timeout of one attempt               1      0        1         1
the upstream, by closing or resetting    1      1        0         0
=====================================  =====  =====  =========  =======

- total is `upstream_rq_total`, and class `upstream_rq_xx` of all classes together;
- abandoned is `upstream_rq_tx_reset` where the upstream speaks HTTP/2, and
  `upstream_cx_destroy_local_with_active_rq` where it speaks HTTP/1;
- timeout is `upstream_rq_timeout` or `upstream_rq_per_try_timeout`;
- a gRPC call that `stream_idle_timeout` ends counts as `grpc_14`;
  over HTTP, the user gets a 504 that counts nowhere;
- a retry adds 1 to `upstream_rq_retry` when it begins;
- a request that reaches no upstream has no total. If there is no connection, Envoy adds 1 to a
  class, and to `upstream_rq_pending_failure_eject` (which also counts requests that have a total,
  if the upstream closes an HTTP/2 connection), `upstream_rq_pending_overflow` or
  `upstream_cx_none_healthy`. If the client leaves or the route's timeout ends while the request
  waits for a connection, Envoy adds 1 to `upstream_rq_cancelled`.

So a request ended without an answer if Envoy abandoned it (`ABANDONED`) and it has no response
(`BEGUN` minus those of all classes): `unanswered` counts at most the smaller number. The first
condition excludes requests in progress, the second those whose client left during the response,
as users of streamed answers often do. No counter shows whether the client had waited too long or
was impatient. Each such request is an error here, as with all other routers: impatient clients
leave the stable revision as often as the canary.
"""

from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter

from halimede.judge.increases import LabelSchema, Target, increments
from halimede.judge.promql import Alternatives, Query
from halimede.judge.providers.provider import (
    GRPC_CLIENT_ERRORS,
    GRPC_ERRORS,
    NOTHING,
    ONE_ERROR,
    ONE_FAILED_REQUEST,
    ONE_REQUEST,
    Labels,
)
from halimede.judge.reading import Counts, MetricsRequest, Sample, Series

CLASSES = "envoy_cluster_upstream_rq_xx"
TOTAL = "envoy_cluster_upstream_rq_total"
GRPC_TOTAL = "envoy_cluster_grpc_total"
UNANSWERED = "envoy_cluster_unanswered"
"""Name of the counter that `unanswered` derives; Envoy has none."""
DERIVED = "_derived"
"""A label that only derived counters have: a reset of Envoy's own counters does not reset them."""
CLUSTER = "envoy_cluster_name"

BEGUN = {
    TOTAL: 1,
    "envoy_cluster_upstream_rq_retry": -1,
    "envoy_cluster_upstream_rq_cancelled": 1,
    "envoy_cluster_upstream_rq_pending_failure_eject": 1,
    "envoy_cluster_upstream_rq_pending_overflow": 1,
    "envoy_cluster_upstream_cx_none_healthy": 1,
}
"""Counters that add up to the requests of users, answered or not."""
ABANDONED = {
    "envoy_cluster_upstream_rq_tx_reset": 1,
    "envoy_cluster_upstream_cx_destroy_local_with_active_rq": 1,
    "envoy_cluster_upstream_rq_cancelled": 1,
    "envoy_cluster_upstream_rq_timeout": -1,
    "envoy_cluster_upstream_rq_per_try_timeout": -1,
}
"""Counters that add up to the requests that Envoy abandoned before the end of the response, except
those that it answered itself after a timeout."""

_GRPC_ERRORS = tuple(f"envoy_cluster_grpc_{code}" for code in GRPC_ERRORS)
METRICS = (
    CLASSES,
    GRPC_TOTAL,
    *_GRPC_ERRORS,
    *dict.fromkeys((*BEGUN, *ABANDONED)),
)
CLIENT_ERRORS = tuple(f"envoy_cluster_grpc_{code}" for code in GRPC_CLIENT_ERRORS)


def metrics(request: MetricsRequest) -> tuple[str, ...]:
    """Return the names of the counters to query."""
    return (*METRICS, *CLIENT_ERRORS) if request.client_errors else METRICS


def query(counters: tuple[str, ...], clusters: Alternatives) -> Query:
    """Return the query for these counters of these clusters."""
    return Query({"__name__": counters, CLUSTER: clusters})


def unanswered(process: Target) -> tuple[Series, ...]:
    """Derive one counter per cluster: the requests that ended without an answer.

    At every scrape it increases by the requests abandoned since the previous scrape, but never
    above the number of requests without an answer since the first scrape. The latter includes
    requests in progress. So the counter is exact as long as at least as many requests are in
    progress as at the first scrape, and no client leaves during the response; otherwise its error
    is at most the difference in the number of requests in progress. In simulations with up to 500
    requests in progress it missed at most about 2 % of the requests without an answer, and counted
    at most 1 in 200 of those whose client left during the response. If all counters of `ABANDONED`
    are absent or 0, nothing is derived.
    """
    if not any(
        counter.labels.get("__name__") in ABANDONED and counter.samples[-1].value
        for counter in process.series
    ):
        return ()
    changes: defaultdict[str, defaultdict[float, _Change]] = defaultdict(
        lambda: defaultdict(_Change)
    )
    for increment in increments(process):
        labels = increment.series.labels
        change = changes[labels.get(CLUSTER, "")][increment.at]
        change.add(labels.get("__name__", ""), increment.amount)
    return tuple(
        Series(
            {**process.labels, "__name__": UNANSWERED, CLUSTER: cluster, DERIVED: "true"},
            (Sample(process.first, 0.0), *_accumulate(by_scrape)),
        )
        for cluster, by_scrape in changes.items()
    )


@dataclass(slots=True)
class _Change:
    """The increments of a cluster's counters at one scrape, added up by kind."""

    abandoned: int = 0
    begun: int = 0
    by_class: int = 0
    by_code: int = 0

    def add(self, metric: str, amount: int) -> None:
        """Add one counter's increment."""
        self.abandoned += ABANDONED.get(metric, 0) * amount
        self.begun += BEGUN.get(metric, 0) * amount
        self.by_class += amount * (metric == CLASSES)
        self.by_code += amount * (metric == GRPC_TOTAL)


def _accumulate(changes: Mapping[float, _Change]) -> Iterator[Sample]:
    """Yield the number of requests that have ended without an answer at each scrape."""
    abandoned = begun = by_class = by_code = most = ended = 0
    for at, change in sorted(changes.items(), key=itemgetter(0)):
        abandoned += change.abandoned
        begun += change.begun
        by_class += change.by_class
        by_code += change.by_code
        gained, most = max(0, abandoned - most), max(most, abandoned)
        # A gRPC call that Envoy ends by itself may have a code and no class.
        without_answer = begun - max(by_class, by_code)
        ended += min(gained, max(0, without_answer - ended))
        yield Sample(at, float(ended))


LABELLING = LabelSchema(
    own=frozenset(
        {
            CLUSTER,
            "envoy_response_code_class",
            "envoy_grpc_bridge_method",
            "envoy_grpc_bridge_service",
        }
    ),
    outcomes=frozenset({"envoy_response_code_class"}),
    derived=unanswered,
)


def per_increment(labels: Labels, grpc_clusters: Container[str]) -> Counts:
    """Return the counts per increment of a cluster's counter.

    Args:
        labels: The labels of the counter.
        grpc_clusters: The clusters that are judged by gRPC codes instead of response classes.
    """
    metric = labels.get("__name__", "")
    grpc = labels.get(CLUSTER, "") in grpc_clusters
    if metric == UNANSWERED:
        return ONE_FAILED_REQUEST
    if metric == CLASSES and not grpc:
        failed = labels.get("envoy_response_code_class") == "5"
        return ONE_FAILED_REQUEST if failed else ONE_REQUEST
    if metric == GRPC_TOTAL and grpc:
        return ONE_REQUEST
    if metric in _GRPC_ERRORS and grpc:
        return ONE_ERROR
    return NOTHING


def client_errors(labels: Labels, grpc_clusters: Container[str]) -> int:
    """Return the client errors per increment of a cluster's counter; see `per_increment`."""
    metric = labels.get("__name__", "")
    if labels.get(CLUSTER, "") in grpc_clusters:
        return int(metric in CLIENT_ERRORS)
    return int(metric == CLASSES and labels.get("envoy_response_code_class") == "4")
