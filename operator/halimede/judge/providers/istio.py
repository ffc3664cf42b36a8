"""Istio: `istio_requests_total` of the proxies that send the requests.

These proxies, gateways and the sidecars of clients, report with `reporter="source"`. Counters of
the destination lack requests that never reached a pod, and a waypoint would count a request twice
(https://istio.io/latest/docs/reference/config/metrics/: labels and their meaning).

`grpc_response_status` is the status of gRPC, `response_code` that of HTTP. Code 0 means that no
response came, which is an error, even if `response_flags` shows that the client left (`DC`, or
`DR` over HTTP/2:
https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage). It may
have left because there was no response; impatient clients leave the stable revision as often as
the canary. If a client leaves during the response, the response's code counts.

Istio may drop single counters that have not changed for long, so each counter is reset
independently.
"""

from collections.abc import Iterable

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query
from halimede.judge.providers.provider import (
    GRPC_CLIENT_ERRORS,
    GRPC_ERRORS,
    ONE_FAILED_REQUEST,
    ONE_REQUEST,
    Labels,
    Provider,
    Reader,
    by_status,
    client_errors_by_status,
    no_series,
    reading,
    services,
)
from halimede.judge.reading import Counts, MetricsRequest, Series

_GRPC_ERRORS = frozenset(str(code) for code in GRPC_ERRORS)
_GRPC_CLIENT_ERRORS = frozenset(str(code) for code in GRPC_CLIENT_ERRORS)


def _queries(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    return (
        Query(
            {
                "__name__": ("istio_requests_total",),
                "reporter": ("source",),
                "destination_service_namespace": (request.namespace,),
                "destination_service_name": tuple(
                    f"{request.name}-{revision}" for revision in revisions
                ),
            }
        ),
    )


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    owners = services(request)
    return reading(
        lambda labels: owners.get(labels.get("destination_service_name", "")),
        _per_increment,
        _client_errors,
    )


def _per_increment(labels: Labels) -> Counts:
    code = labels.get("response_code", "")
    failed = code == "0" or by_status(code) is ONE_FAILED_REQUEST
    failed = failed or labels.get("grpc_response_status", "") in _GRPC_ERRORS
    return ONE_FAILED_REQUEST if failed else ONE_REQUEST


def _client_errors(labels: Labels) -> int:
    if labels.get("grpc_response_status", "") in _GRPC_CLIENT_ERRORS:
        return 1
    return client_errors_by_status(labels.get("response_code", ""))


def _missing_message(request: MetricsRequest) -> str:
    return no_series(
        "istio_requests_total",
        {
            "reporter": '="source"',
            "destination_service_namespace": f'="{request.namespace}"',
            "destination_service_name": f'="{request.name}-{request.canary}"',
        },
        "scrape port 15090 (/stats/prometheus) of the gateway's pods, or set"
        " spec.rollout.analysis.provider to your router",
    )


ISTIO = Provider(
    labelling=LabelSchema(
        own=frozenset({"reporter", "grpc_response_status", "connection_security_policy"}),
        prefixes=("source_", "destination_", "request_", "response_"),
        outcomes=frozenset(),
    ),
    identity=("pod", "instance"),
    queries=_queries,
    reader=_reader,
    missing_message=_missing_message,
)
