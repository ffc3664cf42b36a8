"""Count slow answers by a router's histogram of response times.

An answer is slow if it is not in the bucket of the threshold. So the threshold must be one of the
histogram's bounds, and slow answers are counted as exactly as errors. The bounds are queried in
every poll, because a proxy's configuration may change.

Measured with Envoy 1.40: `envoy_cluster_upstream_rq_time` is in milliseconds, appears with the
first answer, and leaves out requests that timed out, which are errors. Triton has a histogram
since 24.11, but only for decoupled models (release notes of 2.52.0), so it is not used.
"""

from collections.abc import Iterable
from dataclasses import replace

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query
from halimede.judge.providers.envoy import CLUSTER
from halimede.judge.providers.provider import (
    NOTHING,
    Labels,
    Meaning,
    Provider,
    Reader,
)
from halimede.judge.reading import Counts, MetricsRequest, Series

HISTOGRAM = "envoy_cluster_upstream_rq_time"
COUNT, BUCKET = f"{HISTOGRAM}_count", f"{HISTOGRAM}_bucket"
BOUND = "le"
SCRAPED = "envoy_cluster_upstream_rq_total"
"""Exists as soon as the cluster does, so it shows that the proxy was scraped before its histogram
appeared with the first answer, and that answer is counted. It is the counter that the router's own
`missing_message` names."""
METRICS = (SCRAPED, COUNT, BUCKET)

ONE_MORE = Counts(requests=1, errors=1)
"""Increment of the count: a slow answer, unless the bucket of the threshold increases too."""
ONE_QUICK = Counts(requests=0, errors=-1)


def build_latency_provider(router: Provider) -> Provider:
    """Count slow answers in the clusters in which *router*, an Envoy, counts errors."""

    def queries(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
        # Prometheus 3 writes the bound 250 as 250.0; the count has none.
        quick = (f"{request.slow_after}", f"{request.slow_after}.0", "")
        clusters = [
            {**query.matchers, "__name__": METRICS} for query in router.queries(request, revisions)
        ]
        return tuple(
            query
            for selected in clusters
            for query in (
                Query({**selected, BOUND: quick}),
                Query(selected, excluded={BOUND: ""}, counted_by=(BOUND, CLUSTER)),
            )
        )

    def reader(request: MetricsRequest, series: Iterable[Series]) -> Reader:
        read_errors = router.reader(request, series)

        def read(labels: Labels) -> Meaning | None:
            meaning = read_errors(labels)
            return None if meaning is None else replace(meaning, one=_per_increment(labels))

        return read

    return replace(
        router,
        labelling=_with_bound(router.labelling),
        queries=queries,
        reader=reader,
        missing_message=lambda request: router.missing_message(request).replace(SCRAPED, COUNT),
        unusable_reason=_unusable_reason,
    )


def _per_increment(labels: Labels) -> Counts:
    return {COUNT: ONE_MORE, BUCKET: ONE_QUICK}.get(labels.get("__name__", ""), NOTHING)


def _with_bound(labelling: LabelSchema) -> LabelSchema:
    return replace(labelling, own=labelling.own | {BOUND}, outcomes=labelling.outcomes | {BOUND})


def _unusable_reason(request: MetricsRequest, series: Iterable[Series]) -> str | None:
    """Describe a threshold that is no bound of the histogram; None: it is, or no series exists."""
    bounds = sorted(
        {float(counter.labels[BOUND]) for counter in series if set(counter.labels) == {BOUND}}
    )
    if not bounds or request.slow_after in bounds:
        return None
    values = ", ".join(f"{bound:.0f}" for bound in bounds if bound.is_integer())
    return (
        f"spec.rollout.analysis.latency.thresholdMilliseconds {request.slow_after} is not a"
        f" bound of {HISTOGRAM}: set it to one of {values}"
    )
