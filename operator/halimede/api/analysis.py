"""`spec.rollout.analysis`: how the new revision is judged."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from halimede.api.base import ApiModel
from halimede.api.rules import list_map, rule, rules

Percent = Annotated[str, Field(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,4})?)$", max_length=7)]
"""A percentage as a decimal string: the API has no floats."""


class MetricsProvider(StrEnum):
    """The router whose request counters show how users' requests end."""

    CONTOUR = "Contour"
    """Contour's Envoy: `envoy_cluster_*` per backend Service."""
    ENVOY_GATEWAY = "EnvoyGateway"
    """Envoy Gateway's Envoy: `envoy_cluster_*` per backend of the HTTPRoute."""
    ISTIO = "Istio"
    """Istio's gateways and client sidecars: `istio_requests_total`."""
    TRAEFIK = "Traefik"
    """Traefik: `traefik_service_requests_total`."""
    INGRESS_NGINX = "IngressNginx"
    """ingress-nginx: `nginx_ingress_controller_requests`."""
    CUSTOM = "Custom"
    """Anything else: the queries of `router`."""
    NONE = "None"
    """No router counters are scraped; Triton's are used alone.
    docs/concepts.md describes what these miss."""


Query = Annotated[str, Field(min_length=1, max_length=1000)]
"""PromQL with the placeholders of `api.query`."""


class QueryPair(ApiModel):
    """Two PromQL queries, each of which returns one number for a revision.

    `{{ revision }}`, `{{ service }}`, `{{ namespace }}`, `{{ name }}`, `{{ model }}` and
    `{{ window }}` are replaced, and nothing else is, as in
    `sum(increase(requests_total{service="{{ service }}"}[{{ window }}]))`.
    """

    requests: Query
    """Returns how many requests ended in `{{ window }}`."""
    errors: Query
    """Returns how many of them ended in an error. An empty result means none."""
    window_seconds: Annotated[int, Field(ge=10, le=3600)] = 60
    """How often the queries run, each time for the time since the last; at least four scrapes."""


class Metric(QueryPair):
    """An objective of your own, which may abort a rollout and must be met to pass a step."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.maxErrorPercent) || double(self.maxErrorPercent) > 0.0",
                "maxErrorPercent must be more than 0: set it to the highest error rate"
                " that you accept",
                ".maxErrorPercent",
            ),
        )
    )

    name: Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=30)]
    """Its name in messages."""
    max_error_percent: Percent | None = None
    """Maximum error percentage. Defaults to `analysis.maxErrorPercent`."""


class Latency(ApiModel):
    """How long responses may take, measured by the router's histogram."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.maxSlowPercent) || double(self.maxSlowPercent) > 0.0",
                "maxSlowPercent must be more than 0: set it to about twice the stable"
                " revision's percentage of slow responses",
                ".maxSlowPercent",
            ),
        )
    )

    threshold_milliseconds: Annotated[int, Field(ge=1, le=600000)]
    """A response that takes longer is slow. It must be a bound of the histogram: Envoy's are 0.5,
    1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000 and 600000."""
    max_slow_percent: Percent = "5"
    """Maximum percentage of slow responses, whatever the stable revision's percentage is."""


class OnTimeout(StrEnum):
    """What to do when evidence is missing for too long."""

    PAUSE = "Pause"
    ABORT = "Abort"


class BetterThanStable(StrEnum):
    """What to do with a revision that is better than a bad stable revision, but not good."""

    PROMOTE = "Promote"
    HOLD = "Hold"


class ClientErrors(StrEnum):
    """What to do when the new revision answers more requests with a client error."""

    HOLD = "Hold"
    ABORT = "Abort"
    IGNORE = "Ignore"


class Pace(StrEnum):
    """How fast the required certificates tighten from the first step to the last.

    `Swift` also has higher and shorter steps and a shorter bake, where the spec sets neither.
    """

    CAUTIOUS = "Cautious"
    BALANCED = "Balanced"
    SWIFT = "Swift"


class Analysis(ApiModel):
    """How the new revision is judged, by an anytime-valid sequential test on error counts."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.maxErrorPercent) || double(self.maxErrorPercent) > 0.0",
                "maxErrorPercent must be more than 0, because no number of requests can show"
                " that there are no errors: set it to the highest error rate that you accept",
                ".maxErrorPercent",
            ),
            rule(
                "!has(self.maxErrorRatio) || double(self.maxErrorRatio) > 1.0",
                "maxErrorRatio must be more than 1, because it is a multiple of the stable"
                " revision's error rate: set it to the highest multiple that you accept",
                ".maxErrorRatio",
            ),
            rule(
                "(has(self.provider) && self.provider == 'Custom') == has(self.router)",
                "router must be set if and only if provider is Custom: set both or neither",
                ".router",
            ),
            rule(
                "!has(self.latency) || !has(self.provider)"
                " || self.provider in ['Contour', 'EnvoyGateway']",
                "latency requires the histogram of Envoy: set provider to Contour or"
                " EnvoyGateway, or remove latency",
                ".latency",
            ),
            rule(
                "!has(self.onClientErrors) || self.onClientErrors != 'Abort'"
                " || !has(self.provider) || !(self.provider in ['Custom', 'None'])",
                "onClientErrors Abort requires the counters of a router: set provider to your"
                " router, or onClientErrors to Ignore",
                ".onClientErrors",
            ),
        )
    )

    provider: MetricsProvider = MetricsProvider.CONTOUR
    """The router whose request counters show how users' requests end, per revision. `None`: the
    router has no counters in Prometheus, and Triton's are used alone."""
    router: QueryPair | None = None
    """The queries of the provider `Custom`."""
    metrics: Annotated[
        tuple[Metric, ...], Field(max_length=3, json_schema_extra=list_map("name"))
    ] = ()
    """Further objectives in PromQL; as approximate as its `increase()`."""
    max_error_percent: Percent = "5"
    """Maximum error percentage, unless the stable revision is no better."""
    max_error_ratio: Annotated[
        str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?$", max_length=6)
    ] = "3"
    """The multiple of the stable revision's error rate that the last step's certificate allows."""
    latency: Latency | None = None
    """Also judge how long responses take, by the same tests. Absent: only errors count."""
    pace: Pace = Pace.BALANCED
    """How fast the required certificates tighten from the first step to the last. `Swift` also
    changes defaults of a canary: the steps begin at 10 % or more, last 30 seconds or more instead
    of 60, and the bake lasts 60 seconds instead of 300, so that later failures are missed."""
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = 15
    """How often the judge polls. Not below Prometheus's scrape interval."""
    warmup_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """Requests in this time after a rollout's first weight is live are not judged."""
    settle_seconds: Annotated[int, Field(ge=0, le=300)] = 15
    """How long proxies may take to apply a route that was accepted."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Judged requests that the new revision needs before any step may pass."""
    on_no_data: OnTimeout = OnTimeout.PAUSE
    """What to do after `noDataTimeoutSeconds` without a request to the new revision."""
    no_data_timeout_seconds: Annotated[int, Field(ge=1, le=604800)] = 1800
    """How long the new revision may be without a request before `onNoData` applies."""
    on_metrics_down: OnTimeout = OnTimeout.PAUSE
    """What to do after `metricsTimeoutSeconds` without a response from Prometheus."""
    metrics_timeout_seconds: Annotated[int, Field(ge=1, le=604800)] = 900
    """How long Prometheus may be unavailable before `onMetricsDown` applies."""
    on_inconclusive: OnTimeout = OnTimeout.PAUSE
    """What to do after a step's `maxSeconds` without enough evidence."""
    on_better_than_stable: BetterThanStable = BetterThanStable.PROMOTE
    """What to do with a revision that certainly fails a fifth less often than the stable revision,
    but more often than a step allows: `Promote`, as users are better off with it, or `Hold`."""
    on_client_errors: ClientErrors = ClientErrors.HOLD
    """What to do when the new revision answers more requests with a client error than the stable
    one does: `Hold` the step or the bake and report it; `Abort`; or `Ignore` them. Client errors
    are HTTP 4xx except 499, and gRPC INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION,
    OUT_OF_RANGE and UNIMPLEMENTED where the router has gRPC codes. Providers `Custom` and `None`
    have none."""
