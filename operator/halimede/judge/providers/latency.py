"""How long users wait: a router's histogram, of which one bound tells slow answers from others.

An answer is slow if it is not in the bucket of the threshold, so the threshold has to be one of
the histogram's bounds, and slow answers are counted as exactly as errors are. Which bounds there
are is asked with every poll: a proxy may be given others.

Measured with Envoy 1.40: `envoy_cluster_upstream_rq_time` is in milliseconds, appears with the
first answer, and leaves out requests that timed out, which are errors. Triton has a histogram
since 24.11, but of decoupled models alone (release notes of 2.52.0), so it is not asked.
"""

from collections.abc import Iterable
from dataclasses import replace

from halimede.judge.increases import LabelSchema
from halimede.judge.promql import Query, Regex
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
"""There as soon as the cluster is: a histogram appears with its first answer, which counts if the
proxy is seen to have been scraped before. A router's own message names it if it is missing."""
METRICS = (SCRAPED, COUNT, BUCKET)

ONE_MORE = Counts(requests=1, errors=1)
"""In the count: slow, until the bucket of the quick ones says otherwise."""
ONE_QUICK = Counts(requests=0, errors=-1)


def build_latency_provider(router: Provider) -> Provider:
    """Count what is slow through an Envoy, cluster by cluster as *router* counts errors."""

    def questions(request: MetricsRequest, revisions: tuple[str, ...]) -> tuple[Query, ...]:
        # Prometheus 3 writes the bound 250 as 250.0; the count has none.
        quick = Regex(rf"{request.slow_after}(\.0)?|")
        return tuple(
            Query(template, {**one.values, "bounds": quick, "metrics": METRICS})
            for one in router.queries(request, revisions)
            for template in ("envoy_latency", "envoy_bounds")
        )

    def reader(request: MetricsRequest, series: Iterable[Series]) -> Reader:
        owner = router.reader(request, series)

        def read(labels: Labels) -> Meaning | None:
            meaning = owner(labels)
            return None if meaning is None else replace(meaning, one=_one_more(labels))

        return read

    return replace(
        router,
        labelling=_with_bound(router.labelling),
        queries=questions,
        reader=reader,
        missing_message=lambda request: router.missing_message(request).replace(SCRAPED, COUNT),
        unusable_reason=_flaw,
    )


def _one_more(labels: Labels) -> Counts:
    return {COUNT: ONE_MORE, BUCKET: ONE_QUICK}.get(labels.get("__name__", ""), NOTHING)


def _with_bound(labelling: LabelSchema) -> LabelSchema:
    return replace(labelling, own=labelling.own | {BOUND}, outcomes=labelling.outcomes | {BOUND})


def _flaw(request: MetricsRequest, series: Iterable[Series]) -> str | None:
    """Find out whether the threshold is a bound of the histogram; no histogram is no flaw."""
    bounds = sorted({float(one.labels[BOUND]) for one in series if set(one.labels) == {BOUND}})
    if not bounds or request.slow_after in bounds:
        return None
    known = ", ".join(f"{bound:.0f}" for bound in bounds if bound.is_integer())
    return (
        f"spec.rollout.analysis.latency.thresholdMilliseconds {request.slow_after} is no bound of"
        f" {HISTOGRAM}: set it to one of {known}"
    )
