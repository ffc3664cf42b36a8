"""Envoy Gateway: an Envoy cluster per backend of the HTTPRoute.

It names a cluster `httproute/<namespace>/<route>/rule/<i>` for all backends of a rule together,
or `…/backend/<j>` for each backend if a backend has a filter: our routes have one on every
backend. With `EnvoyProxy.spec.mergeBackends` the name is `service/<namespace>/<service>/<port>`,
followed or not by the protocol
(internal/gatewayapi/helpers.go: irDestinationSettingName, irBackendClusterName;
internal/ir/xds.go: NeedsClusterPerSetting).

`<j>` is an index in the list, so the request has the revision at each index. The indexes do not
change while a revision is judged; before the last promotion they belonged to other revisions.

The filter `grpc_stats` is configured only on a listener that a GRPCRoute is attached to
(internal/xds/translator/listener.go: IsHTTP2). Without it a gRPC error of the server counts as a
success here, as in `upstream_rq_xx` everywhere, and only Envoy's own errors count. With it the
counters have labels for the method and the service too.
"""

from collections.abc import Iterable

from halimede.judge.promql import Query, Regex, escape
from halimede.judge.providers import envoy
from halimede.judge.providers.provider import (
    GRPC_PORT,
    HTTP_PORT,
    PORTS,
    Labels,
    Meaning,
    Provider,
    Reader,
    no_series,
)
from halimede.judge.reading import BackendPosition, MetricsRequest, Series


def _cluster(position: BackendPosition) -> str:
    return f"httproute/{position.route}/rule/{position.rule}/backend/{position.place}"


def _merged_cluster(request: MetricsRequest, revision: str, port: int) -> str:
    return f"service/{request.namespace}/{request.name}-{revision}/{port}"


def _queries(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    by_position = [
        _cluster(backend) for backend in request.backends if backend.revision in revisions
    ]
    merged = [
        Regex(f"{escape(_merged_cluster(request, revision, port))}(?:/[a-z0-9]+)?", word=revision)
        for revision in revisions
        for port in PORTS
    ]
    return (envoy.query(envoy.metrics(request), (*by_position, *merged)),)


def _reader(request: MetricsRequest, series: Iterable[Series]) -> Reader:
    positions = {_cluster(position): position for position in request.backends}
    merged = {
        _merged_cluster(request, revision, port): (revision, port)
        for revision in (request.stable, request.canary)
        for port in PORTS
    }

    def owner(cluster: str) -> tuple[str, int] | None:
        position = positions.get(cluster)
        if position is not None:
            return position.revision, position.port
        return merged.get("/".join(cluster.split("/")[:4]))

    with_codes = {
        cluster
        for counter in series
        if counter.labels.get("__name__") == envoy.GRPC_TOTAL
        and (backend := owner(cluster := counter.labels.get(envoy.CLUSTER, ""))) is not None
        and backend[1] == GRPC_PORT
    }

    def read(labels: Labels) -> Meaning | None:
        backend = owner(labels.get(envoy.CLUSTER, ""))
        if backend is None:
            return None
        return Meaning(
            backend[0],
            envoy.per_increment(labels, with_codes),
            envoy.client_errors(labels, with_codes),
        )

    return read


def _missing_message(request: MetricsRequest) -> str:
    clusters = [
        _cluster(backend) for backend in request.backends if backend.revision == request.canary
    ]
    clusters.append(_merged_cluster(request, request.canary, HTTP_PORT))
    return no_series(
        "envoy_cluster_upstream_rq_total",
        {envoy.CLUSTER: "=" + " or ".join(f'"{cluster}"' for cluster in clusters)},
        "scrape port 19001 of Envoy Gateway's proxies, or set spec.rollout.analysis.provider to"
        " your router",
    )


ENVOY_GATEWAY = Provider(
    labelling=envoy.LABELLING,
    identity=("instance",),
    queries=_queries,
    reader=_reader,
    missing_message=_missing_message,
    by_revision=False,
)
