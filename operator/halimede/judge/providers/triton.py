"""Triton itself: the counters of every pod.

Measured with Triton 24.10: `nv_inference_request_success` includes errors that a Python model
returns. Cancelled requests are failures of the client, so they count neither as requests nor as
errors here; the router counts them.
"""

from collections.abc import Iterable

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query, Regex, escape
from halimede.judge.providers.provider import (
    NOTHING,
    ONE_FAILED_REQUEST,
    ONE_REQUEST,
    Labels,
    Provider,
    Reader,
    no_series,
    reading,
)
from halimede.judge.reading import Counts, MetricsRequest, Series

SUCCESS = "nv_inference_request_success"
METRICS = (SUCCESS, "nv_inference_request_failure")


def _queries(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
    pods = tuple(
        Regex(f"{escape(f'{request.name}-{revision}-')}.+", word=revision)
        for revision in revisions
    )
    return (
        Query(
            {
                "__name__": METRICS,
                "namespace": (request.namespace,),
                "pod": pods,
                "model": (request.model,),
            },
            excluded={"reason": "CANCELED"},
        ),
    )


def _reader(request: MetricsRequest, _: Iterable[Series]) -> Reader:
    owners = {
        f"{request.name}-{revision}-": revision for revision in (request.stable, request.canary)
    }

    def owner(labels: Labels) -> str | None:
        pod = labels.get("pod", "")
        return next((owners[prefix] for prefix in owners if pod.startswith(prefix)), None)

    return reading(owner, _per_increment)


def _per_increment(labels: Labels) -> Counts:
    if labels.get("__name__") == SUCCESS:
        return ONE_REQUEST
    return NOTHING if labels.get("reason") == "CANCELED" else ONE_FAILED_REQUEST


def _missing_message(request: MetricsRequest) -> str:
    return no_series(
        SUCCESS,
        {
            "namespace": f'="{request.namespace}"',
            "pod": f'=~"{request.name}-{request.canary}-.*"',
            "model": f'="{request.model}"',
        },
        "scrape port 8002 of the pods with the labels namespace and pod (a PodMonitor does this)",
    )


TRITON = Provider(
    labelling=LabelSchema(
        own=frozenset({"model", "reason", "version"}), outcomes=frozenset({"reason"})
    ),
    identity=("pod",),
    queries=_queries,
    reader=_reader,
    missing_message=_missing_message,
)
