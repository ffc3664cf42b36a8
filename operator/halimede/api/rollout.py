"""`spec.rollout`: how a new revision is rolled out."""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from halimede.api.analysis import Analysis
from halimede.api.base import ApiModel
from halimede.api.match import Match
from halimede.api.rules import HOST, LIST_SET, rule, rules

LONGEST_STEP = 604800
"""Seconds in a week: the most that `maxSeconds` of a step may be."""
BAKE_SECONDS, SWIFT_BAKE_SECONDS = 300, 60
"""Default length of a canary's bake; the second one is that of the pace `Swift`."""


class Strategy(StrEnum):
    """How traffic moves to a new revision."""

    CANARY = "Canary"
    BLUE_GREEN = "BlueGreen"
    RECREATE = "Recreate"
    """The old revision stops before the new one starts: an outage, for clusters without room for
    both."""


class StepPause(ApiModel):
    """A wait after a step has passed."""

    seconds: Annotated[int | None, Field(ge=1, le=LONGEST_STEP)] = None
    """How long; absent: until the command `promote`, for `pauseTimeoutSeconds` at most."""


class Scale(ApiModel):
    """A number of pods that does not depend on the weight."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "has(self.replicas) != has(self.percent)",
                "scale needs exactly one of replicas (a number of pods) and percent (a"
                " percentage of pods): set one of them",
                ".percent",
            )
        )
    )

    replicas: Annotated[int | None, Field(ge=1, le=1000)] = None
    """The number of pods."""
    percent: Annotated[int | None, Field(ge=1, le=100)] = None
    """The number of pods as a percentage of the stable revision's, rounded up."""


class Stage(ApiModel):
    """How long the new revision is judged before the rollout goes on."""

    min_seconds: Annotated[int, Field(ge=0, le=86400)] = 60
    """The minimum, however good the evidence is. At a weight it begins when that is live."""
    max_seconds: Annotated[int, Field(ge=1, le=LONGEST_STEP)] = 1800
    """After this long without enough evidence, `analysis.onInconclusive` applies."""


class Step(Stage):
    """A weight of the new revision, and how long it is judged with it."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "self.maxSeconds >= self.minSeconds",
                "maxSeconds must not be less than minSeconds: raise maxSeconds or lower"
                " minSeconds",
                ".maxSeconds",
            )
        )
    )

    weight: Annotated[int, Field(ge=0, le=100)]
    """Percentage of the requests. 0, only in the first step: no user reaches the new revision and
    nothing is judged, so that it can be tested by hand."""
    pause: StepPause | None = None
    """Pause after the step has passed. The new revision is still judged meanwhile."""
    scale: Scale | None = None
    """Pods of the new revision in this step. Absent: as many as the weight needs, or more if an
    earlier step had more. There are never fewer than the weight needs."""


class Mirror(Stage):
    """Copies of users' requests, whose responses are discarded."""

    percent: Annotated[int, Field(ge=1, le=100)] = 100
    """Percentage of the requests that are copied. The new revision has pods for all of them."""


class PreviewAnalysis(Stage):
    """How a preview is judged before the switch."""

    mirror_percent: Annotated[int, Field(ge=0, le=100)] = 0
    """Percentage of users' requests that are copied to it; 0: your own requests judge it."""


class Canary(ApiModel):
    """Settings of the strategy `Canary`."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.steps) || (self.steps.map(step, step.weight).isSorted()"
                " && self.steps.all(a, self.steps.exists_one(b, b.weight == a.weight)))",
                "the weights of steps must increase: order the steps by weight, and give"
                " each step a different weight",
                ".steps",
            ),
            rule(
                "!has(self.steps) || self.steps.exists(step, step.weight > 0)",
                "at least one step needs a weight of more than 0, otherwise all traffic"
                " would shift without any analysis: add such a step",
                ".steps",
            ),
            rule(
                "!has(self.steps) || self.steps.all(step, step.weight > 0 || has(step.pause)"
                " || has(step.scale) || has(self.match))",
                "a step of weight 0 is for tests by hand: give it a pause or a scale, set"
                " match, or set its weight to more than 0",
                ".steps",
            ),
        )
    )

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)] = ()
    """Rising weights; after the last step passes, the new revision gets all requests. Absent:
    three steps; the first weight, from 5 to 25, is chosen by the traffic, and 25 (35 after 25)
    and 50 follow. With `analysis.pace` `Swift`: from 10 to 25, 30 and 60, each for at least 30
    seconds."""
    match: Match | None = None
    """Testers: requests that go to the new revision at every step, over HTTP and gRPC, from before
    its first weight until the rollout ends. The router counts them like all others."""
    mirror: Mirror | None = None
    """Judge the new revision by copies of requests before its first step. Side effects of a copied
    request happen twice."""
    bake_seconds: Annotated[int | None, Field(ge=0, le=86400)] = None
    """How long the new revision is judged with all traffic, or all but `controlPercent`, before
    the old one scales down. It lasts longer while the odds are 3:1 or more against the revision.
    0: no bake; else at least 2 * `analysis.intervalSeconds`. Absent: 300, or 60 with
    `analysis.pace` `Swift`."""
    control_percent: Annotated[int | None, Field(ge=0, le=50)] = None
    """Percentage of the requests that stay on the stable revision during the bake, so that a
    problem of both revisions is not attributed to the new one; less if the last step leaves less.
    0: none. Absent: 10, or up to 50 with fewer than 5 requests per second; none where requests
    cannot be split during the bake (type `Service`, `capacityMode` `Replace`)."""


class BlueGreen(ApiModel):
    """Settings of the strategy `BlueGreen`."""

    auto_promote: bool = False
    """Switch as soon as the new revision is ready, and has passed `previewAnalysis` if that is
    set, instead of waiting for a `promote` command."""
    preview_hostnames: Annotated[
        tuple[Annotated[str, Field(pattern=HOST, max_length=253)], ...],
        Field(max_length=4, json_schema_extra=LIST_SET),
    ] = ()
    """Hostnames of the preview while there is one, by an HTTPRoute `<name>-preview`."""
    preview_analysis: PreviewAnalysis | None = None
    """Judge the new revision in the preview, before the switch."""
    bake_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """How long the new revision is judged with all traffic, or all but `controlPercent`, before
    the old one scales down. It lasts longer while the odds are 3:1 or more against the revision.
    0: no bake; else at least `analysis.warmupSeconds` + 2 * `analysis.intervalSeconds`."""
    control_percent: Annotated[int, Field(ge=0, le=50)] = 0
    """Percentage of the requests that stay on the stable revision during the bake, so that a
    problem of both revisions is not attributed to the new one. 0: none."""


class Recreate(ApiModel):
    """Settings of the strategy `Recreate`."""

    bake_seconds: Annotated[int, Field(ge=0, le=86400)] = 300
    """How long the new revision is judged with all traffic; longer while the odds are 3:1 or more
    against it. 0: no bake; else at least `analysis.warmupSeconds` + 2 *
    `analysis.intervalSeconds`. An abort is another outage."""


class OnStableDown(StrEnum):
    """What to do when the stable revision has no ready pod but the new one has."""

    HOLD = "Hold"
    SHIFT = "ShiftToCanary"


class CapacityMode(StrEnum):
    """What to do when the cluster has no room for the new revision's pods."""

    EXTRA = "Extra"
    REPLACE = "Replace"
    WAIT = "Wait"


class Rollout(ApiModel):
    """How a new revision is rolled out."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(self.capacityMode) || self.capacityMode != 'Replace'"
                " || !has(self.strategy) || self.strategy == 'Canary'",
                "capacityMode Replace requires strategy Canary: set capacityMode to Extra or"
                " Wait, or strategy to Canary",
                ".capacityMode",
            )
        )
    )

    strategy: Strategy = Strategy.CANARY
    """`Canary` raises the new revision's weight in steps; `BlueGreen` shows it as a preview and
    then switches; `Recreate` stops the old revision first, and nothing serves meanwhile."""
    canary: Canary = Canary()
    """Settings of the strategy `Canary`."""
    blue_green: BlueGreen = BlueGreen()
    """Settings of the strategy `BlueGreen`."""
    recreate: Recreate = Recreate()
    """Settings of the strategy `Recreate`."""
    analysis: Analysis = Analysis()
    """How the new revision is judged."""
    paused: bool = False
    """Pause the rollout at its current weight. Aborts, safety checks and scaling go on."""
    pause_timeout_seconds: Annotated[int, Field(ge=0, le=604800)] = 86400
    """Abort a rollout that has been paused for this long, by command, by `paused` or after a step
    until `promote`. 0 disables the timeout."""
    progress_deadline_seconds: Annotated[int, Field(ge=1, le=604800)] = 1800
    """Abort a new revision that is not ready after this long."""
    capacity_mode: CapacityMode = CapacityMode.EXTRA
    """Where the new revision's pods come from. `Extra`: on top of the stable revision's, and a
    lack of room is reported after `capacityTimeoutSeconds`. `Replace`: at most one pod more than
    `replicas`, as stable pods are replaced one by one while the requests move. `Wait`: on top of
    the stable revision's, however long it takes."""
    capacity_timeout_seconds: Annotated[int, Field(ge=1, le=604800)] = 600
    """How long there may be no room before it is reported. It never aborts a rollout."""
    on_stable_down: OnStableDown = OnStableDown.HOLD
    """What to do when no pod of the stable revision is ready but some of the new one are: `Hold`
    the weights, or `ShiftToCanary`, which sends all requests to the new revision until the stable
    one is ready again."""
    scale_down_delay_seconds: Annotated[int, Field(ge=0, le=604800)] = 300
    """How long the old revision stays at full scale after a promotion."""
    abort_scale_down_delay_seconds: Annotated[int, Field(ge=0, le=86400)] = 30
    """How long an aborted revision keeps its pods, without requests, so that it can be inspected.
    It scales down sooner if another revision is waiting, but never before it is out of the
    route."""
    revision_history_limit: Annotated[int, Field(ge=0, le=10)] = 10
    """How many earlier stable revisions are kept for `rollback`, each as one ConfigMap. Those that
    are still at full scale are available in any case."""
    rollback_window_revisions: Annotated[int, Field(ge=0, le=10)] = 0
    """A spec that goes back to one of this many last stable revisions skips the steps, unless that
    revision was rolled back. 0: only while it is at full scale."""
