"""`spec.rollout`: how careful to be."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from halimede.api.base import ApiModel

Percent = Annotated[str, Field(pattern=r"^(100|[0-9]{1,2}(\.[0-9]{1,4})?)$")]
"""A percentage as a decimal string: the API has no floats."""


class Strategy(StrEnum):
    """How traffic moves to a new revision."""

    CANARY = "Canary"
    BLUE_GREEN = "BlueGreen"


class Step(ApiModel):
    """A share of the requests that the new revision gets, and how long at least."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """Percentage of the requests."""
    min_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """How long to stay at least, however good the evidence."""
    max_seconds: Annotated[int, Field(ge=1, le=604800)] = 1800
    """After this long without enough evidence, `analysis.onInconclusive` decides."""


class Canary(ApiModel):
    """Settings of the strategy `Canary`."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)] = (
        Step(weight=5),
        Step(weight=25),
        Step(weight=50),
    )
    """Rising weights; after the last step passes, the new revision gets everything."""


class BlueGreen(ApiModel):
    """Settings of the strategy `BlueGreen`."""

    auto_promote: bool = False
    """Switch as soon as the new revision is ready, instead of awaiting a `promote` command."""
    bake_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """How long the new revision is judged with all traffic before the old one scales down."""


class MetricsProvider(StrEnum):
    """Whose request counters tell how users fare."""

    CONTOUR = "Contour"
    """Contour's Envoy: `envoy_cluster_*` per backend Service."""
    NONE = "None"
    """No router counters are scraped. Triton's alone must do; the README says what they miss."""


class Waiting(StrEnum):
    """What to do when the evidence does not come."""

    PAUSE = "Pause"
    ABORT = "Abort"


class Pace(StrEnum):
    """How fast the certificate that each step demands tightens towards the last one."""

    CAUTIOUS = "Cautious"
    BALANCED = "Balanced"
    SWIFT = "Swift"


class Analysis(ApiModel):
    """How the new revision is judged, by an anytime-valid sequential test on error counts."""

    provider: MetricsProvider = MetricsProvider.CONTOUR
    max_error_percent: Percent = "5"
    """The error rate above which a revision is bad, whatever the stable one does."""
    max_error_ratio: Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,2})?$")] = "3"
    """How many times the stable revision's error rate the last step's certificate tolerates."""
    pace: Pace = Pace.BALANCED
    interval_seconds: Annotated[int, Field(ge=1, le=300)] = 15
    """How often the judge looks. Not below Prometheus's scrape interval."""
    warmup_seconds: Annotated[int, Field(ge=0, le=3600)] = 30
    """Requests in this time after a rollout's first weight are not judged."""
    settle_seconds: Annotated[int, Field(ge=0, le=300)] = 15
    """How long proxies may take to follow a route that was accepted."""
    min_requests: Annotated[int, Field(ge=1, le=1_000_000)] = 20
    """Judged requests that the new revision needs before any step may pass."""
    on_no_data: Waiting = Waiting.PAUSE
    """After `noDataTimeoutSeconds` without one request of the new revision."""
    no_data_timeout_seconds: Annotated[int, Field(ge=1, le=604800)] = 1800
    on_inconclusive: Waiting = Waiting.PAUSE
    """After a step's `maxSeconds`."""


class Rollout(ApiModel):
    """How careful to be with a new revision."""

    strategy: Strategy = Strategy.CANARY
    canary: Canary = Canary()
    blue_green: BlueGreen = BlueGreen()
    analysis: Analysis = Analysis()
    paused: bool = False
    """Hold the rollout where it is. Abort, safety and scaling go on."""
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=604800)] = 1800
    """A new revision that is not ready in this time is given up."""
    scale_down_delay_seconds: Annotated[int, Field(ge=0, le=604800)] = 300
    """How long the old revision stays at full scale after a promotion."""
