"""Envoy Gateway: an Envoy cluster per backend of the HTTPRoute.

It names a cluster `httproute/<namespace>/<route>/rule/<i>` for all backends of a rule together,
and `…/backend/<j>` for each where they need clusters of their own, which a filter on a backend
makes them do: our routes have one on every backend. With `EnvoyProxy.spec.mergeBackends` the name
is `service/<namespace>/<service>/<port>` with or without the protocol behind it
(internal/gatewayapi/helpers.go: irDestinationSettingName, irBackendClusterName;
internal/ir/xds.go: NeedsClusterPerSetting).

`<j>` is a place in the list, so the request says which revision the route has there. While one is
judged nothing moves, and the places before the last promotion were other revisions'.

The filter `grpc_stats` is configured only on a listener that a GRPCRoute is attached to
(internal/xds/translator/listener.go: IsHTTP2). Without it a gRPC error of the server's own is a
success here, as in `upstream_rq_xx` everywhere, and only Envoy's own refusals are errors. With it
the counters bear the method and the service too.
"""

from collections.abc import Iterable

from halimede.judge.promql import Query, Regex, any_of
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


def _place(one: BackendPosition) -> str:
    return f"httproute/{one.route}/rule/{one.rule}/backend/{one.place}"


def _merged(request: MetricsRequest, revision: str, port: int) -> str:
    return f"service/{request.namespace}/{request.name}-{revision}/{port}"


def _questions(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    places = [_place(one) for one in request.backends if one.revision in revisions]
    merged = any_of(_merged(request, revision, port) for revision in revisions for port in PORTS)
    clusters = [*places, Regex(f"(?:{merged})(?:/[a-z0-9]+)?")]
    return (Query("envoy", {"metrics": envoy.metrics(request), "clusters": clusters}),)


def _reader(request: MetricsRequest, series: Iterable[Series]) -> Reader:
    places = {_place(one): one for one in request.backends}
    merged = {
        _merged(request, revision, port): (revision, port)
        for revision in (request.stable, request.canary)
        for port in PORTS
    }

    def owner(cluster: str) -> tuple[str, int] | None:
        place = places.get(cluster)
        if place is not None:
            return place.revision, place.port
        return merged.get("/".join(cluster.split("/")[:4]))

    with_codes = {
        cluster
        for one in series
        if one.labels.get("__name__") == envoy.GRPC_TOTAL
        and (found := owner(cluster := one.labels.get(envoy.CLUSTER, ""))) is not None
        and found[1] == GRPC_PORT
    }

    def read(labels: Labels) -> Meaning | None:
        found = owner(labels.get(envoy.CLUSTER, ""))
        if found is None:
            return None
        return Meaning(
            found[0],
            envoy.one_more(labels, with_codes),
            envoy.client_errors(labels, with_codes),
        )

    return read


def _unseen(request: MetricsRequest) -> str:
    wanted = [_place(one) for one in request.backends if one.revision == request.canary]
    wanted.append(_merged(request, request.canary, HTTP_PORT))
    return no_series(
        "envoy_cluster_upstream_rq_total",
        {envoy.CLUSTER: "=" + " or ".join(f'"{one}"' for one in wanted)},
        "scrape port 19001 of Envoy Gateway's proxies, or set spec.rollout.analysis.provider to"
        " your router",
    )


ENVOY_GATEWAY = Provider(
    labelling=envoy.LABELLING,
    identity=("instance",),
    queries=_questions,
    reader=_reader,
    missing_message=_unseen,
    by_revision=False,
)
