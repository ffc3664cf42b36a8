"""ingress-nginx: `nginx_ingress_controller_requests` per Ingress, Service and canary.

`ingress` and `service` are those of the main Ingress, whichever backend answered; `canary` is
empty if its Service answered, and otherwise names the canary's as `<namespace>-<service>-<port>`
(rootfs/etc/nginx/lua/monitor.lua and internal/ingress/metric/collectors/socket.go; labels:
https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/). The main Ingress routes to the
entry Service, which selects the stable revision until the canary gets all requests; before the
last promotion that was another revision.

`status` is the HTTP status, or its class with `--report-status-classes`: gRPC errors of the server
count as successes here. 499 is nginx's status for a client that left, and counts as an error; with
classes it cannot be distinguished from client errors, and counts as one.

Prometheus stores the labels `namespace` and `service` as `exported_namespace` and
`exported_service` if the scraper sets such labels too.
"""

from collections.abc import Iterable

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query
from halimede.judge.providers.provider import (
    HTTP_PORT,
    PORTS,
    Labels,
    Provider,
    Reader,
    by_status,
    client_errors_by_status,
    no_series,
    own,
    reading,
    services,
)
from halimede.judge.reading import MetricsRequest, Series

NO_CANARY = frozenset({"", "-"})


def _ingresses(request: MetricsRequest) -> tuple[str, ...]:
    return request.name, f"{request.name}-grpc"


def _queries(request: MetricsRequest, _: tuple[str, ...]) -> tuple[Query, ...]:
    counter = "nginx_ingress_controller_requests"
    return (Query({"__name__": (counter,), "ingress": _ingresses(request)}),)


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    canaries = {
        f"{request.namespace}-{service}-{port}": revision
        for service, revision in services(request).items()
        for port in PORTS
    }

    def owner(labels: Labels) -> str | None:
        if own(labels, "namespace") != request.namespace:
            return None
        canary = labels.get("canary", "")
        if canary not in NO_CANARY:
            return canaries.get(canary)
        return request.stable if own(labels, "service") == request.name else None

    return reading(
        owner,
        lambda labels: by_status(labels.get("status", "")),
        lambda labels: client_errors_by_status(labels.get("status", "")),
    )


def _missing_message(request: MetricsRequest) -> str:
    return no_series(
        "nginx_ingress_controller_requests",
        {
            "ingress": f'="{request.name}"',
            "canary": f'="{request.namespace}-{request.name}-{request.canary}-{HTTP_PORT}"',
        },
        "set controller.metrics.enabled in the ingress-nginx chart and scrape port 10254 of"
        " its pods, or set spec.rollout.analysis.provider to your router",
    )


INGRESS_NGINX = Provider(
    labelling=LabelSchema(
        own=frozenset(
            {"namespace", "ingress", "service", "canary", "status", "method", "path", "host"}
        ),
        outcomes=frozenset({"status", "method", "path", "host"}),
    ),
    identity=("controller_pod", "instance"),
    queries=_queries,
    reader=_reader,
    missing_message=_missing_message,
    by_revision=False,
)
