"""ingress-nginx: `nginx_ingress_controller_requests` per Ingress, Service and canary.

`ingress` and `service` are the main Ingress's, whoever answered; `canary` is empty where its
Service did, and else names the canary's as `<namespace>-<service>-<port>`
(rootfs/etc/nginx/lua/monitor.lua and internal/ingress/metric/collectors/socket.go; labels:
https://kubernetes.github.io/ingress-nginx/user-guide/monitoring/). The main Ingress leads to the
entry Service, which selects the stable revision as long as the canary does not get everything;
before the last promotion that was another one.

`status` is that of HTTP, or its class with `--report-status-classes`: gRPC errors of the server's
own are successes here. 499 is nginx's status for a client that left, and counts as an error; with
classes it cannot be told from client errors, and counts as one of these.

Prometheus keeps the labels `namespace` and `service` as `exported_namespace` and
`exported_service` where the scraper gives such labels too.
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


def _questions(request: MetricsRequest, _: tuple[str, ...]) -> tuple[Query, ...]:
    return (Query("ingress_nginx", {"ingresses": _ingresses(request)}),)


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


def _unseen(request: MetricsRequest) -> str:
    return no_series(
        "nginx_ingress_controller_requests",
        {
            "ingress": f'="{request.name}"',
            "canary": f'="{request.namespace}-{request.name}-{request.canary}-{HTTP_PORT}"',
        },
        "set controller.metrics.enabled in ingress-nginx's chart and scrape port 10254 of its"
        " pods, or set spec.rollout.analysis.provider to your router",
    )


INGRESS_NGINX = Provider(
    labelling=LabelSchema(
        own=frozenset(
            {"namespace", "ingress", "service", "canary", "status", "method", "path", "host"}
        ),
        outcomes=frozenset({"status", "method", "path", "host"}),
    ),
    identity=("controller_pod", "instance"),
    queries=_questions,
    reader=_reader,
    missing_message=_unseen,
    by_revision=False,
)
