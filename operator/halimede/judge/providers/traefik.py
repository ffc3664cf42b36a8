"""Traefik: `traefik_service_requests_total` per service of its own configuration.

A backend of an HTTPRoute becomes the service `<namespace>-<service>-<port>@kubernetesgateway`
(up to 3.6: pkg/provider/kubernetes/gateway/httproute.go), or one whose name begins with
`httproute-<namespace>-` and ends in `-svc-<namespace>-<service>-<number>@kubernetesgateway`
(3.7). Labels: https://doc.traefik.io/traefik/observability/metrics/overview/.

`code` is the HTTP status: gRPC errors of the server count as successes here. 499 means that the
client left, and counts as an error.

Prometheus stores Traefik's label `service` as `exported_service` if the scraper sets one too, as a
ServiceMonitor does. No selector matches either label, so there is a query for each.
"""

import re
from collections.abc import Iterable

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query, Regex, escape
from halimede.judge.providers.provider import (
    Labels,
    Provider,
    Reader,
    by_status,
    client_errors_by_status,
    no_series,
    own,
    reading,
)
from halimede.judge.reading import MetricsRequest, Series


def _pattern(request: MetricsRequest, revision: str) -> Regex:
    namespace, service = escape(request.namespace), escape(f"{request.name}-{revision}")
    return Regex(
        f"(?:httproute-{namespace}-.+-svc-)?{namespace}-{service}-[0-9]+@.+", word=revision
    )


def _queries(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    services = tuple(_pattern(request, revision) for revision in revisions)
    return tuple(
        Query({"__name__": ("traefik_service_requests_total",), label: services})
        for label in ("service", "exported_service")
    )


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    patterns = {
        revision: re.compile(_pattern(request, revision).pattern)
        for revision in (request.stable, request.canary)
    }

    def owner(labels: Labels) -> str | None:
        service = own(labels, "service")
        return next(
            (revision for revision, pattern in patterns.items() if pattern.fullmatch(service)),
            None,
        )

    return reading(
        owner,
        lambda labels: by_status(labels.get("code", "")),
        lambda labels: client_errors_by_status(labels.get("code", "")),
    )


def _missing_message(request: MetricsRequest) -> str:
    return no_series(
        "traefik_service_requests_total",
        {"service": f'=~"{_pattern(request, request.canary).pattern}"'},
        "enable Traefik's Prometheus metrics with addServicesLabels and scrape its pods, or"
        " set spec.rollout.analysis.provider to your router",
    )


TRAEFIK = Provider(
    labelling=LabelSchema(
        own=frozenset({"service", "code", "method", "protocol"}),
        outcomes=frozenset({"code", "method", "protocol"}),
    ),
    identity=("instance",),
    queries=_queries,
    reader=_reader,
    missing_message=_missing_message,
)
