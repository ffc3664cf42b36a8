"""What Halimede answers in `.status`: enough to resume a rollout from nothing else."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, computed_field

from halimede.api.base import ApiModel, RevisionHash, Timestamp
from halimede.api.conditions import Condition
from halimede.api.reasons import Verdict
from halimede.api.rollout import Strategy
from halimede.api.rules import list_map
from halimede.api.sources import SourceField


class State(StrEnum):
    """Where a rollout is. The names follow the transitions of the state machine."""

    STOPPING = "Stopping"
    """Recreate: the old revision's pods are stopped; nothing serves until the target is ready."""
    STARTING = "Starting"
    """The target's workload is being started; it has no traffic."""
    PRIMING = "Priming"
    """The route knows the target at weight 0, so that proxies learn its endpoints."""
    MIRRORING = "Mirroring"
    """The target gets copies of requests and is judged by them; no user meets it."""
    SHIFTING = "Shifting"
    """The route is being moved to the step's weight."""
    ANALYSING = "Analysing"
    """The step's weight is live and evidence is collected."""
    STEP_PAUSED = "StepPaused"
    """The step has passed, and its pause is waited out; evidence is collected on."""
    AWAITING_PROMOTION = "AwaitingPromotion"
    """Blue-green: the preview serves, and a `promote` command is awaited."""
    SCALING_UP = "ScalingUp"
    """The last step passed; the target is brought to full scale."""
    PROMOTING = "Promoting"
    """All traffic, or all but the control share, is being moved to the target."""
    BAKING = "Baking"
    """All traffic, or all but the control share, is on the target; the old revision is warm, and
    the target is still judged."""
    DRAINING = "Draining"
    """The target is stable; the old revision leaves the route and then scales down."""
    ABORTING = "Aborting"
    """All traffic is being moved back to the stable revision."""
    ABORT_DRAINING = "AbortDraining"
    """The target has no traffic any more; it leaves the route and then scales down."""


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
    """A revision and since when it has its role."""

    revision: RevisionHash
    """The first eight hex digits of its hash; its children are named `<name>-<revision>`."""
    since: Timestamp | None = None
    """When it took this role."""


class WarmRevision(ApiModel):
    """A revision that was stable before and is still at full scale."""

    revision: RevisionHash
    warm_until: Timestamp
    """When it will be scaled to zero and deleted."""


class PromotedRevision(ApiModel):
    """A revision that was stable before; its record is kept, so that it can serve again."""

    revision: RevisionHash
    promoted_at: Timestamp | None = None
    """When it became stable."""
    rolled_back_at: Timestamp | None = None
    """When it had to be left; without an order by name it gets no way back without steps."""


class PinnedRevision(ApiModel):
    """A revision that is to serve although the spec asks for another one."""

    revision: RevisionHash
    since: Timestamp
    """When that was commanded."""
    generation: int
    """The last generation of the spec that was seen to ask for what it asked for then."""
    spec_revision: RevisionHash
    """The revision that the spec asks for."""


class FailedRevision(ApiModel):
    """A revision that was stopped; it is not tried again unless a `retry` command asks for it."""

    revision: RevisionHash
    reason: str
    at: Timestamp


class SourceEvidence(ApiModel):
    """What one source of counters has shown since the first judged request.

    All `log_*` are natural logarithms of test martingales (rounded to 1e-6), so that a restart
    loses nothing.
    """

    source: SourceField
    """`Router` or `Triton` for errors, `RouterLatency` for slow answers, counted as errors are,
    `RouterClientErrors`, or `metrics/` and the name of an objective in the spec."""
    levels: tuple[float, ...] = ()
    """What each step's certificate must exclude, if that is not what it is for errors."""
    begun_at: Timestamp
    """The end of the warm-up: nothing before it counts."""
    watermark: Timestamp
    """Samples up to this moment have been counted."""
    ceiling: float | None = None
    """The error rate that the canary may not exceed; absent: that of the settings."""
    canary_requests: int = 0
    canary_errors: int = 0
    stable_requests: int = 0
    stable_errors: int = 0
    usual_requests: int = 0
    """Of the canary, in the polls in which the stable revision was as usual."""
    usual_errors: int = 0
    usual_stable_requests: int = 0
    """Of the stable revision, in those polls."""
    usual_stable_errors: int = 0
    recent_requests: float = 0.0
    """Of the stable revision recently; each poll weighs three quarters of the next one."""
    recent_errors: float = 0.0
    last_requests: int = 0
    """Of the stable revision, in the last poll."""
    last_errors: int = 0
    polls: int = 0
    """Polls that brought new samples of the canary."""
    polls_against: int = 0
    """Polls that raised the odds against the canary to a new maximum while these were over 3:1."""
    highest_against: float = 0.0
    """The highest odds since then, as a logarithm."""
    dispersion: float = 1.0
    """phi: chi2 over its degrees of freedom for the differences between stable's error rates at
    neighbouring times, before the rollout and in it."""
    dispersion_looks: int = 0
    """Number of differences that it is the mean of, at most 100."""
    past_requests: int = 0
    """Of the stable revision, in the two hours before the rollout, without incidents."""
    past_errors: int = 0
    log_rel: tuple[float, ...] = ()
    """One per rate ratio: the canary is worse than the stable revision."""
    log_abs: tuple[float, ...] = ()
    """One per rate: the canary is over its ceiling."""
    bake_ceiling: float | None = None
    """The error rate that the bake bears, fixed when it begins; absent before."""
    log_bake: tuple[float, ...] = ()
    """One per rate: the canary is over the bake's ceiling."""
    log_confirmation: tuple[float, ...] = ()
    """One per rate ratio: the canary is worse than the stable revision since it was suspected to
    be over a ceiling; empty while it is not."""
    confirmation_requests: int = 0
    """Of the stable revision since then."""
    log_no_worse: tuple[float, ...] = ()
    """One per rate ratio: the canary is no worse than `maxErrorRatio` allows for, in the polls in
    which the stable revision was not as usual; empty without such polls."""
    log_better: tuple[float, ...] = ()
    """One per rate ratio: the canary is better than the stable revision, which is near a level;
    empty while that is not."""


class Evidence(ApiModel):
    """Everything the judge knows in this rollout."""

    levels: tuple[float, ...] = ()
    """The error rate that each step's certificate must exclude, fixed when the rollout starts."""
    requests_per_second: float | None = None
    """To the model, in the two hours before the rollout; in the rollout where these tell nothing
    or are off by more than a factor of two. Absent if too little is known."""
    requested_at: Timestamp | None = None
    """When the target's request count last increased; absent before its first request."""
    sources: tuple[SourceEvidence, ...] = ()
    client_errors: SourceEvidence | None = None
    """Client errors counted by the router, unless `onClientErrors` is `Ignore`."""
    verdict: Verdict | None = None
    """The last verdict: Pass, Continue, Abort, NoData or MetricsDown."""
    message: str | None = None
    """Why, in a sentence with the figures."""
    no_data_since: Timestamp | None = None
    metrics_down_since: Timestamp | None = None
    bake_looks: int = 0
    """How often the judge has looked in the bake and could see."""


class RolloutStatus(ApiModel):
    """The rollout that is under way."""

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
    """How many steps there are."""
    weight: int = 0
    """The percentage of requests that the route is asked to give the target."""
    first_weight: int | None = None
    """The first step's weight, chosen from the traffic; absent until it is chosen, and if the spec
    sets the steps."""
    traffic_low_since: Timestamp | None = None
    """When the rollout first reported that a step gets too few requests."""
    actual_weight: int | None = None
    """What it gets by its share of the ready pods; absent where a router sees to the weight."""
    weight_before: int = 0
    """The percentage before that: a raise that was not written goes back to it."""
    weight_applied_at: Timestamp | None = None
    """When the route was first seen with that weight and accepted; absent while it is awaited."""
    mirrored_at: Timestamp | None = None
    """When copies of requests had shown enough; absent if there were none yet."""
    step_started_at: Timestamp | None = None
    evidence: Evidence | None = None
    polled_at: Timestamp | None = None
    """When the judge last looked."""
    replicas: int | None = None
    """Recreate: how many pods the old revision had; an autoscaler forgets it at zero."""
    skip_analysis: bool = False
    """`promote-full-force`: evidence does not stop it any more, and there is no bake."""
    unready_since: Timestamp | None = None
    """Since when the target, which had traffic, has had no ready endpoint."""
    failover_since: Timestamp | None = None
    """Since when the target has everything because the stable revision had no ready pod."""
    control_dropped_at: Timestamp | None = None
    """When the control share was dropped; it is not restored in this rollout. Absent: it was not
    dropped."""
    capacity_since: Timestamp | None = None
    """Since when the cluster has had no room for the target's pods."""
    replaced_replicas: int = 0
    """How many pods the stable revision has given up for the target's, one by one."""
    paused_since: Timestamp | None = None
    """When the command `pause` was carried out last; absent after `resume`."""
    spec_paused_since: Timestamp | None = None
    """When `spec.rollout.paused` was seen first; absent while it is false."""
    blocked_since: Timestamp | None = None
    """Since when the route is not there, or not fit to be used."""
    outcome: Outcome | None = None
    """Decided before the rollout is over: what an abort or a promotion is leading to."""
    reason: str | None = None
    """CamelCase reason of that outcome, as in the conditions and Events."""
    decided_at: Timestamp | None = None
    """When the outcome was decided; the traffic moves with the next write."""
    message: str | None = None

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties yet
    @property
    def progress(self) -> str:
        """The step, counted from 1, of how many, such as 2/3; the state where there are none."""
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
"""How many writes of others are remembered; so many within ten minutes are a fight."""


class HandledCommand(ApiModel):
    """A command that was executed or rejected."""

    token: str
    """Its token."""
    text: str
    """The beginning of its text: while the annotation begins with it, there is nothing to do."""


class ForeignWrites(ApiModel):
    """Somebody else changed the weights in the route; each time they were set back."""

    manager: str
    """The field manager that did it last, as in the route's `metadata.managedFields`."""
    at: Annotated[tuple[Timestamp, ...], Field(max_length=MOST_FOREIGN_WRITES)]
    """When, the last times, by the API server's clock."""
    held_since: Timestamp | None = None
    """Since when rollouts are held because of it."""


MOST_USER_ROUTES = 4
"""How many routes may be on their way back while another one is used."""


class UserRoute(ApiModel):
    """A HTTPRoute of the user's in which the revisions stand as backends."""

    name: str
    since: Timestamp
    """When it last began to name them; they have their shares when proxies have followed."""
    returned_at: Timestamp | None = None
    """When it was seen as its owner wrote it; it is forgotten when proxies have followed."""


MOST_WARM = 10
MOST_FAILED = 5
MOST_TOKENS = 10
"""How many of them are remembered; the oldest go first."""


class Status(ApiModel):
    """The state of the resource, and why."""

    observed_generation: int = -1
    stable: RevisionStatus | None = None
    """The revision that serves; absent until one has been ready."""
    target: RevisionStatus | None = None
    """The revision that the spec asks for."""
    newer_revision: RevisionHash | None = None
    """What this version of the operator renders from the spec, if that is not `target`. An upgrade
    does not roll it out; the next change of the spec's pod does."""
    rollout: RolloutStatus | None = None
    last_rollout: FinishedRollout | None = None
    warm_revisions: Annotated[tuple[WarmRevision, ...], Field(max_length=MOST_WARM)] = ()
    history: Annotated[tuple[PromotedRevision, ...], Field(max_length=20)] = ()
    """Revisions that were stable before, the last one first: `rollback` goes to these."""
    pinned: PinnedRevision | None = None
    """What the command `rollback` holds against the spec, until that changes or `resume`."""
    failed_revisions: Annotated[tuple[FailedRevision, ...], Field(max_length=MOST_FAILED)] = ()
    last_command: HandledCommand | None = None
    """The last command that was executed or rejected."""
    executed_tokens: Annotated[tuple[str, ...], Field(max_length=MOST_TOKENS)] = ()
    """The last tokens whose commands were carried out, the newest last: none acts again."""
    foreign_writes: ForeignWrites | None = None
    """Who else wrote the route in the last ten minutes."""
    user_routes: Annotated[tuple[UserRoute, ...], Field(max_length=MOST_USER_ROUTES)] = ()
    """Routes that are to be given back before the object may go."""
    url: str | None = None
    """Where clients reach the model, if it is exposed by hostname."""
    conditions: Annotated[
        tuple[Condition, ...], Field(max_length=8, json_schema_extra=list_map("type"))
    ] = ()
