"""`.status`: everything that is needed to resume a rollout after a restart."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, computed_field

from halimede.api.base import ApiModel, RevisionHash, Timestamp
from halimede.api.conditions import Condition
from halimede.api.model_status import ModelStatus
from halimede.api.reasons import Verdict
from halimede.api.rollout import Strategy
from halimede.api.rules import list_map
from halimede.api.sources import SourceField


class State(StrEnum):
    """The states of a rollout, in the order of the state machine."""

    STOPPING = "Stopping"
    """Recreate: the old revision's pods are stopped; nothing serves until the target is ready."""
    STARTING = "Starting"
    """The target's workload is starting; it has no traffic."""
    PRIMING = "Priming"
    """The target is in the route at weight 0, so that proxies load its endpoints."""
    MIRRORING = "Mirroring"
    """The target gets copies of requests and is judged by them; users do not reach it."""
    SHIFTING = "Shifting"
    """The route is being moved to the step's weight."""
    ANALYSING = "Analysing"
    """The step's weight is live and evidence is collected."""
    STEP_PAUSED = "StepPaused"
    """The step has passed and its pause is not over; evidence is still collected."""
    AWAITING_PROMOTION = "AwaitingPromotion"
    """Blue-green: the preview serves until a `promote` command."""
    SCALING_UP = "ScalingUp"
    """The last step passed; the target is being scaled to full scale."""
    PROMOTING = "Promoting"
    """All traffic, or all but the control share, is being moved to the target."""
    BAKING = "Baking"
    """All traffic, or all but the control share, is on the target; the old revision is warm, and
    the target is still judged."""
    DRAINING = "Draining"
    """The target is stable; the old revision is removed from the route and then scales down."""
    ABORTING = "Aborting"
    """All traffic is being moved back to the stable revision."""
    ABORT_DRAINING = "AbortDraining"
    """The target has no traffic; it is removed from the route and then scales down."""


class Outcome(StrEnum):
    """How a rollout ended."""

    PROMOTED = "Promoted"
    FAST_PROMOTED = "FastPromoted"
    """Steps, or the bake, were skipped by `promote-full` or `promote-full-force`."""
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"
    """The spec asked for a third revision meanwhile."""
    REVERTED = "Reverted"
    """The spec went back to the stable revision."""


class RevisionStatus(ApiModel):
    """A revision, and since when it has had its role."""

    revision: RevisionHash
    """The first eight hex digits of its hash; its children have the name `<name>-<revision>`."""
    since: Timestamp | None = None
    """When it took this role."""


class WarmRevision(ApiModel):
    """A revision that was stable before and is still at full scale."""

    revision: RevisionHash
    warm_until: Timestamp
    """When it will be scaled to zero and deleted."""


class PromotedRevision(ApiModel):
    """A revision that was stable before; its record is kept for `rollback`."""

    revision: RevisionHash
    promoted_at: Timestamp | None = None
    """When it became stable."""
    rolled_back_at: Timestamp | None = None
    """When it was rolled back; after that, only a command that names it can skip its steps."""


class PinnedRevision(ApiModel):
    """A revision that `rollback` keeps although the spec asks for another one."""

    revision: RevisionHash
    since: Timestamp
    """When the command was executed."""
    generation: int
    """The latest generation of the spec that was observed to ask for `specRevision`."""
    spec_revision: RevisionHash
    """The revision that the spec asks for."""


class FailedRevision(ApiModel):
    """An aborted revision; it is not rolled out again unless a `retry` command asks for it."""

    revision: RevisionHash
    reason: str
    at: Timestamp


class SourceEvidence(ApiModel):
    """The evidence of one source of counters since the first judged request.

    All `log_*` are natural logarithms of test martingales (rounded to 1e-6), so that a restart
    loses nothing.
    """

    source: SourceField
    """`Router` or `Triton` for errors, `RouterLatency` for slow responses, which count as errors,
    `RouterClientErrors`, or `metrics/` and the name of an objective in the spec."""
    levels: tuple[float, ...] = ()
    """The rate that each step's certificate must exclude, if not the same as for errors."""
    begun_at: Timestamp
    """The end of the warm-up: requests before it do not count."""
    watermark: Timestamp
    """Samples up to this moment have been counted."""
    ceiling: float | None = None
    """The error rate that the canary may not exceed; absent: that of the spec."""
    canary_requests: int = 0
    canary_errors: int = 0
    stable_requests: int = 0
    stable_errors: int = 0
    usual_requests: int = 0
    """Requests of the canary, in polls in which the stable revision's error rate was as usual."""
    usual_errors: int = 0
    usual_stable_requests: int = 0
    """Requests of the stable revision in those polls."""
    usual_stable_errors: int = 0
    recent_requests: float = 0.0
    """Recent requests of the stable revision; each poll weighs three quarters of the next one."""
    recent_errors: float = 0.0
    last_requests: int = 0
    """Requests of the stable revision in the last poll."""
    last_errors: int = 0
    polls: int = 0
    """Polls that brought new samples of the canary."""
    polls_against: int = 0
    """Polls that raised the odds against the canary to a new maximum while these were over 3:1."""
    highest_against: float = 0.0
    """The highest odds in that time, as a logarithm."""
    dispersion: float = 1.0
    """phi: chi2 over its degrees of freedom for the differences between the stable revision's
    error rates at neighbouring times, before the rollout and in it."""
    dispersion_differences: int = 0
    """Number of differences that it is the mean of, at most 100."""
    past_requests: int = 0
    """Requests of the stable revision in the two hours before the rollout, without incidents."""
    past_errors: int = 0
    log_rel: tuple[float, ...] = ()
    """One per rate ratio: the canary is worse than the stable revision."""
    log_abs: tuple[float, ...] = ()
    """One per rate: the canary is over its ceiling."""
    bake_ceiling: float | None = None
    """The error rate that the bake tolerates, fixed when it begins; absent before."""
    log_bake: tuple[float, ...] = ()
    """One per rate: the canary is over the bake's ceiling."""
    log_confirmation: tuple[float, ...] = ()
    """One per rate ratio: the canary is worse than the stable revision since it was suspected to
    be over a ceiling; empty while it is not."""
    confirmation_requests: int = 0
    """Requests of the stable revision since then."""
    log_no_worse: tuple[float, ...] = ()
    """One per rate ratio: the canary is no worse than `maxErrorRatio` allows, in the polls in
    which the stable revision was not as usual; empty without such polls."""
    log_better: tuple[float, ...] = ()
    """One per rate ratio: the canary is better than the stable revision, which is near a level;
    empty while it is not near one."""


class Evidence(ApiModel):
    """Everything that the judge has counted in this rollout."""

    levels: tuple[float, ...] = ()
    """The error rate that each step's certificate must exclude, fixed when the rollout starts."""
    requests_per_second: float | None = None
    """Requests per second to the model, in the two hours before the rollout; in the rollout itself
    if those have no data or differ by more than a factor of two. Absent with too little data."""
    requested_at: Timestamp | None = None
    """When the target's request count last increased; absent before its first request."""
    sources: tuple[SourceEvidence, ...] = ()
    client_errors: SourceEvidence | None = None
    """Client errors counted by the router, unless `onClientErrors` is `Ignore`."""
    verdict: Verdict | None = None
    """The last verdict: Pass, Continue, Abort, NoData or MetricsDown."""
    message: str | None = None
    """The reason for the verdict, with the figures."""
    no_data_since: Timestamp | None = None
    metrics_down_since: Timestamp | None = None
    bake_polls: int = 0
    """Number of polls in the bake in which the metrics could be read."""


class RolloutStatus(ApiModel):
    """The rollout in progress."""

    id: str
    """UUIDv5 of the object's uid, generation and target: the same rollout keeps its id."""
    strategy: Strategy
    base: RevisionHash
    """The stable revision that the target is compared with."""
    revision: RevisionHash
    """The revision that is rolled out."""
    state: State
    state_since: Timestamp
    started_at: Timestamp
    last_progress_at: Timestamp
    step: int = 0
    """Index of the current step, from 0."""
    steps: int = 0
    """Number of steps."""
    weight: int = 0
    """The target's desired weight in the route, in percent."""
    first_weight: int | None = None
    """The first step's weight, chosen from the traffic; absent until it is chosen, and if the spec
    sets the steps."""
    traffic_low_since: Timestamp | None = None
    """When the rollout first reported that a step gets too few requests."""
    actual_weight: int | None = None
    """Its percentage of the ready pods; absent where a router applies the weight."""
    weight_before: int = 0
    """The weight before that: a raise that was not written goes back to it."""
    weight_applied_at: Timestamp | None = None
    """When the route was first observed with that weight and accepted; absent until then."""
    mirrored_at: Timestamp | None = None
    """When the copies of requests gave enough evidence; absent until then."""
    step_started_at: Timestamp | None = None
    evidence: Evidence | None = None
    polled_at: Timestamp | None = None
    """When the judge last polled."""
    replicas: int | None = None
    """Recreate: number of pods that the old revision had; an autoscaler loses it at zero."""
    skip_analysis: bool = False
    """`promote-full-force`: evidence no longer aborts the rollout, and there is no bake."""
    unready_since: Timestamp | None = None
    """Since when the target, while it has traffic, has had no ready endpoint."""
    failover_since: Timestamp | None = None
    """Since when the target gets all requests because the stable revision had no ready pod."""
    control_dropped_at: Timestamp | None = None
    """When the control share was dropped; it is not restored in this rollout. Absent: it was not
    dropped."""
    capacity_since: Timestamp | None = None
    """Since when the cluster has had no room for the target's pods."""
    replaced_replicas: int = 0
    """Number of pods of the stable revision that were replaced, one by one, with the target's."""
    paused_since: Timestamp | None = None
    """When the command `pause` was last executed; absent after `resume`."""
    spec_paused_since: Timestamp | None = None
    """When `spec.rollout.paused` was first observed; absent while it is false."""
    blocked_since: Timestamp | None = None
    """Since when the route has been missing or unusable."""
    outcome: Outcome | None = None
    """Set before the rollout ends: the outcome of the abort or promotion in progress."""
    reason: str | None = None
    """CamelCase reason for that outcome, as in the conditions and Events."""
    decided_at: Timestamp | None = None
    """When the outcome was decided; the traffic moves with the next write."""
    message: str | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties yet
    @property
    def progress(self) -> str:
        """The step, counted from 1, of all steps, such as 2/3; the state if there are no steps."""
        return f"{self.step + 1}/{self.steps}" if self.steps else str(self.state)


class FinishedRollout(ApiModel):
    """The last rollout that ended."""

    id: str
    strategy: Strategy
    revision: RevisionHash
    outcome: Outcome
    reason: str
    message: str
    started_at: Timestamp
    decided_at: Timestamp | None = None
    """When the outcome was decided; the traffic moved with the next write."""
    ended_at: Timestamp
    evidence: Evidence | None = None


MOST_FOREIGN_WRITES = 5
"""Foreign writes that are recorded; this many within ten minutes hold the rollout."""


class HandledCommand(ApiModel):
    """A command that was executed or rejected."""

    token: str
    """Its token."""
    text: str
    """The beginning of its text: while the annotation begins with it, it is not handled again."""


class ExecutedCommand(ApiModel):
    """A command that was executed, by whom, and on which evidence."""

    text: str
    """The command."""
    by: str | None = None
    """The user in the annotation `halimede.dev/command-by`. The chart's admission policy verifies
    the name."""
    at: Timestamp
    """When it was executed."""
    basis: str
    """What the rollout showed then: the state, the step, the weight and the verdict."""

    @property
    def token(self) -> int:
        """The token of the command; later commands have larger ones."""
        return int(self.text.rpartition("@")[2])


class ForeignWrites(ApiModel):
    """Changes of the route's weights by another field manager, each of which was undone."""

    manager: str
    """The field manager of the last one, as in the route's `metadata.managedFields`."""
    at: Annotated[tuple[Timestamp, ...], Field(max_length=MOST_FOREIGN_WRITES)]
    """The times of the last ones, by the API server's clock."""
    held_since: Timestamp | None = None
    """Since when rollouts have been held because of them."""


MOST_USER_ROUTES = 4
"""How many routes may still have to be restored while another one is used."""


class UserRoute(ApiModel):
    """An HTTPRoute of the user's that has the revisions as backends."""

    name: str
    since: Timestamp
    """When it last began to name them; they get their weights once proxies have applied that."""
    returned_at: Timestamp | None = None
    """When all weight was observed at the entry Service. Once proxies have applied that, the route
    is restored, and this entry is removed."""


MOST_WARM = 10
MOST_FAILED = 5
MOST_COMMANDS = 5
"""The maximum number of entries; the oldest are dropped first."""


class Status(ApiModel):
    """The observed state of the resource."""

    observed_generation: int = -1
    stable: RevisionStatus | None = None
    """The revision that serves; absent until one has been ready."""
    target: RevisionStatus | None = None
    """The revision that the spec asks for."""
    newer_revision: RevisionHash | None = None
    """What this version of the operator renders from the spec, if that is not `target`. An upgrade
    does not roll it out; the next change of the spec's pod does."""
    collision_count: int | None = None
    """How many times the hash of the spec's revision named another one. It salts the hash; absent:
    it never did."""
    records: dict[RevisionHash, str] = {}
    """SHA-256, in Base64, of the record of each revision that is kept: of `data` and `binaryData`
    of its ConfigMap. Nothing is rendered from a record of another content."""
    model: ModelStatus | None = None
    """The digest of the model's files; absent if the spec has it and no cache, or has the files
    themselves."""
    rollout: RolloutStatus | None = None
    last_rollout: FinishedRollout | None = None
    warm_revisions: Annotated[tuple[WarmRevision, ...], Field(max_length=MOST_WARM)] = ()
    history: Annotated[tuple[PromotedRevision, ...], Field(max_length=20)] = ()
    """Revisions that were stable before, the last one first: the targets of `rollback`."""
    pinned: PinnedRevision | None = None
    """The revision that `rollback` keeps against the spec, until the spec changes or `resume`."""
    failed_revisions: Annotated[tuple[FailedRevision, ...], Field(max_length=MOST_FAILED)] = ()
    last_command: HandledCommand | None = None
    """The last command that was executed or rejected."""
    commands: Annotated[tuple[ExecutedCommand, ...], Field(max_length=MOST_COMMANDS)] = ()
    """The last commands that were executed, newest last. Only one with a larger token follows."""
    foreign_writes: ForeignWrites | None = None
    """Foreign writes of the route in the last ten minutes."""
    user_routes: Annotated[tuple[UserRoute, ...], Field(max_length=MOST_USER_ROUTES)] = ()
    """Routes that must be restored before the object can be deleted."""
    url: str | None = None
    """The URL of the model, if it is exposed by hostname."""
    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=8, json_schema_extra=list_map("type"))
    ] = ()
