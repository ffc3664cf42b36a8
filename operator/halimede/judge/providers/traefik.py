"""Traefik: `traefik_service_requests_total` per service of its own configuration.

A backend of an HTTPRoute becomes the service `<namespace>-<service>-<port>@kubernetesgateway`
(up to 3.6: pkg/provider/kubernetes/gateway/httproute.go), or one whose name begins with
`httproute-<namespace>-` and ends in `-svc-<namespace>-<service>-<number>@kubernetesgateway`
(3.7). Labels: https://doc.traefik.io/traefik/observability/metrics/overview/.

`code` is the status of HTTP: gRPC errors of the server's own are successes here. 499 tells of a
client that left, and counts as an error.

Prometheus keeps Traefik's label `service` as `exported_service` where the scraper gives one too,
as a ServiceMonitor does. No selector takes either label, so both are asked for.
"""

import re
from collections.abc import Iterable

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query, Regex
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
    namespace = re.escape(request.namespace)
    service = re.escape(f"{request.name}-{revision}")
    return Regex(f"(?:httproute-{namespace}-.+-svc-)?{namespace}-{service}-[0-9]+@.+")


def _questions(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    wanted = {"services": [_pattern(request, one) for one in revisions]}
    return Query("traefik", wanted), Query("traefik_exported", wanted)


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    patterns = {
        one: re.compile(_pattern(request, one)) for one in (request.stable, request.canary)
    }

    def owner(labels: Labels) -> str | None:
        service = own(labels, "service")
        return next((one for one, named in patterns.items() if named.fullmatch(service)), None)

    return reading(
        owner,
        lambda labels: by_status(labels.get("code", "")),
        lambda labels: client_errors_by_status(labels.get("code", "")),
    )


def _unseen(request: MetricsRequest) -> str:
    return no_series(
        "traefik_service_requests_total",
        {"service": f'=~"{_pattern(request, request.canary)}"'},
        "turn on Traefik's Prometheus metrics with addServicesLabels and scrape its pods, or set"
        " spec.rollout.analysis.provider to your router",
    )


TRAEFIK = Provider(
    labelling=LabelSchema(
        own=frozenset({"service", "code", "method", "protocol"}),
        outcomes=frozenset({"code", "method", "protocol"}),
    ),
    identity=("instance",),
    queries=_questions,
    reader=_reader,
    missing_message=_unseen,
)
