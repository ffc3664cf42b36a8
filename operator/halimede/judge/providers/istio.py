"""Istio: `istio_requests_total` of the proxies that send the requests.

Those report with `reporter="source"`: gateways, and the sidecars of clients. What never reached a
pod is missing on the other side, and a waypoint would count a request once more
(https://istio.io/latest/docs/reference/config/metrics/: labels and their meaning).

`grpc_response_status` is the truth of gRPC, `response_code` that of HTTP. Code 0 says that no
response came: of the client's doing where `response_flags` has `DC`
(https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage), of the
server's otherwise.

Istio may drop counters that nobody has touched for long, one by one, so none starts anew because
another one has.
"""

from collections.abc import Iterable

from halimede.judge.deltas import Labelling
from halimede.judge.promql import Question
from halimede.judge.providers.provider import (
    GRPC_ERRORS,
    NOTHING,
    ONE_FAILED_REQUEST,
    ONE_REQUEST,
    Labels,
    Provider,
    Reader,
    no_series,
    reading,
    services,
)
from halimede.judge.reading import Counts, MetricsRequest, Series

_GRPC_ERRORS = frozenset(str(code) for code in GRPC_ERRORS)
_DOWNSTREAM_CLOSED = "DC"


def _questions(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Question, ...]:
    wanted = [f"{request.name}-{one}" for one in revisions]
    return (Question("istio", {"namespace": request.namespace, "services": wanted}),)


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    owners = services(request)
    return reading(
        lambda labels: owners.get(labels.get("destination_service_name", "")), _one_more
    )


def _one_more(labels: Labels) -> Counts:
    code = labels.get("response_code", "")
    if code == "0" and _DOWNSTREAM_CLOSED in labels.get("response_flags", "").split(","):
        return NOTHING
    failed = code == "0" or code.startswith("5")
    failed = failed or labels.get("grpc_response_status", "") in _GRPC_ERRORS
    return ONE_FAILED_REQUEST if failed else ONE_REQUEST


def _unseen(request: MetricsRequest) -> str:
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
    labelling=Labelling(
        own=frozenset({"reporter", "grpc_response_status", "connection_security_policy"}),
        prefixes=("source_", "destination_", "request_", "response_"),
        outcomes=frozenset(),
    ),
    identity=("pod", "instance"),
    questions=_questions,
    reader=_reader,
    unseen=_unseen,
)
