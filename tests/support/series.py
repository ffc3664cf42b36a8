"""Short constructors for Prometheus's series."""

from halimede.api.analysis import MetricsProvider
from halimede.judge.reading import BackendPosition, CounterSamples, MetricsRequest, Sample, Series

STABLE = "aaaa1111"
CANARY = "bbbb2222"
Points = tuple[tuple[float, float], ...]


def request(
    now: float = 1000.0,
    since: float | None = 0.0,
    *,
    provider: MetricsProvider = MetricsProvider.CONTOUR,
    stable_since: float = 0.0,
) -> MetricsRequest:
    """Return a request for the counters of `digits` in the namespace `ml`."""
    return MetricsRequest(
        provider=provider,
        namespace="ml",
        name="digits",
        model="digits",
        stable=STABLE,
        canary=CANARY,
        now=now,
        since=since,
        stable_since=stable_since,
        backends=tuple(
            BackendPosition("ml/digits", rule, place, revision, port)
            for rule, port in ((0, 8001), (1, 8000))
            for place, revision in ((0, STABLE), (1, CANARY))
        ),
    )


def series(points: Points, **labels: str) -> Series:
    """Return (time, value) pairs as a series; `name` is its `__name__`."""
    named = {("__name__" if key == "name" else key): value for key, value in labels.items()}
    return Series(named, tuple(Sample(at, value) for at, value in points))


def envoy(
    revision: str,
    points: Points,
    *,
    metric: str = "upstream_rq_xx",
    response: str | None = None,
    port: int = 8000,
    instance: str = "envoy-1",
) -> Series:
    """Return one of Envoy's counters for a revision's Service."""
    more = {} if response is None else {"envoy_response_code_class": response}
    return series(
        points,
        name=f"envoy_cluster_{metric}",
        envoy_cluster_name=f"ml_digits-{revision}_{port}",
        instance=instance,
        **more,
    )


def triton(
    revision: str, points: Points, *, reason: str | None = None, pod: str = "x", **labels: str
) -> Series:
    """Return a counter of a Triton pod: successes, or failures with a reason."""
    outcome = "success" if reason is None else "failure"
    more = {} if reason is None else {"reason": reason}
    return series(
        points,
        name=f"nv_inference_request_{outcome}",
        namespace="ml",
        pod=f"digits-{revision}-{pod}",
        model="digits",
        version="1",
        **(more | labels),
    )


def measured(*counters: Series) -> CounterSamples:
    """Return an answer with these series."""
    return CounterSamples(counters)
