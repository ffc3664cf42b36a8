"""Contour: an Envoy cluster per port of each revision's Service.

Contour sets `alt_stat_name` to `<namespace>_<service>_<port>` and always configures the filter
`grpc_stats` (1.33: internal/envoy/v3/cluster.go and listener.go).
"""

from collections.abc import Iterable

from halimede.judge.promql import Query
from halimede.judge.providers import envoy
from halimede.judge.providers.provider import (
    GRPC_PORT,
    HTTP_PORT,
    PORTS,
    Provider,
    Reader,
    no_series,
    reading,
)
from halimede.judge.reading import MetricsRequest, Series


def _cluster(request: MetricsRequest, revision: str, port: int) -> str:
    return f"{request.namespace}_{request.name}-{revision}_{port}"


def _queries(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    clusters = tuple(_cluster(request, revision, port) for revision in revisions for port in PORTS)
    return (envoy.query(envoy.metrics(request), clusters),)


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    revisions = (request.stable, request.canary)
    owners = {
        _cluster(request, revision, port): revision for revision in revisions for port in PORTS
    }
    grpc = {_cluster(request, revision, GRPC_PORT) for revision in revisions}
    return reading(
        lambda labels: owners.get(labels.get(envoy.CLUSTER, "")),
        lambda labels: envoy.per_increment(labels, grpc),
        lambda labels: envoy.client_errors(labels, grpc),
    )


def _missing_message(request: MetricsRequest) -> str:
    return no_series(
        "envoy_cluster_upstream_rq_total",
        {envoy.CLUSTER: f'="{_cluster(request, request.canary, HTTP_PORT)}"'},
        "scrape the gateway's Envoy, or set spec.rollout.analysis.provider to your router, or"
        " to None if its counters are not available",
    )


CONTOUR = Provider(
    labelling=envoy.LABELLING,
    identity=("instance",),
    queries=_queries,
    reader=_reader,
    missing_message=_missing_message,
)
