"""The bake: the new revision has most of the traffic and is analysed before the commit."""

from halimede.api.reasons import EventReason, Reason, Verdict
from halimede.api.status import RolloutStatus
from halimede.judge.messages import odds
from halimede.judge.thresholds import DOUBT
from halimede.rollout.analysis_schedule import is_doubtful, required_looks
from halimede.rollout.checks.waits import (
    analysis_message,
    wait_for_pods,
    wait_for_route,
    without_evidence,
)
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import drop_control, promote, wait
from halimede.rollout.events import Event, normal
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import bake_seconds


def baking(scene: RolloutContext) -> Decision:
    """Analyse the revision with most of the traffic, then commit.

    Only an abort ends the bake early, and missing data does not extend it. The bake continues
    after its time if the judge has not looked often enough, or while the odds against the revision
    are `DOUBT` or more.
    """
    rollout, seconds = scene.rollout, bake_seconds(scene.rollout.strategy, scene.settings)
    unseen = seconds > 0 and without_evidence(scene)
    over = _is_over(scene, seconds)
    if rollout.skip_analysis or (over and not is_doubtful(rollout)):
        return _finish(scene, unseen=unseen)
    if rollout.weight < FULL_WEIGHT and scene.control == 0 and scene.at_full_scale:
        return drop_control(scene, _control_ended(rollout))
    if over:
        return _held_by_odds(scene)
    return wait(
        scene,
        Reason.ROLLING_OUT,
        f"{_shared(rollout)}; it is watched for {seconds} s.",
        analysis_message(scene),
        "The bake ends by its time all the same." if unseen and not is_doubtful(rollout) else "",
    )


def _finish(scene: RolloutContext, *, unseen: bool) -> Decision:
    """Shift the control share to the new revision, wait until that is live, and then commit.

    Proxies lose requests if a Service leaves the route while it has a share.
    """
    rollout = scene.rollout
    if rollout.weight < FULL_WEIGHT and not scene.at_full_scale:
        return wait_for_pods(scene, scene.canary, scene.min_ready)
    if rollout.weight < FULL_WEIGHT:
        return drop_control(scene)
    if rollout.control_dropped_at is not None and not scene.route_settled:
        return wait_for_route(scene, since=rollout.control_dropped_at)
    blind = unseen and not rollout.skip_analysis
    return promote(scene, "The bake ended without a verdict." if blind else "")


def _is_over(scene: RolloutContext, seconds: int) -> bool:
    """Whether the bake's time is over and the judge, if it could, has looked often enough."""
    rollout, evidence = scene.rollout, scene.rollout.evidence
    looked = (
        evidence is None
        or evidence.verdict == Verdict.METRICS_DOWN
        or evidence.bake_looks >= required_looks(seconds, scene.settings.analysis)
    )
    return looked and scene.elapsed(rollout.last_progress_at) >= seconds


def _held_by_odds(scene: RolloutContext) -> Decision:
    """Wait until the odds against the revision fall under `DOUBT` or abort it."""
    return wait(
        scene,
        Reason.METRICS_HOLD if without_evidence(scene) else Reason.ROLLING_OUT,
        f"{_shared(scene.rollout)}; the odds against it hold the bake, which does not end while"
        f" they are {odds(DOUBT)} or more.",
        analysis_message(scene),
        "The command `abort` ends it, or `promote-full-force`, which promotes it all the same.",
    )


def _shared(rollout: RolloutStatus) -> str:
    if rollout.weight == FULL_WEIGHT:
        return f"All requests go to revision {rollout.revision}"
    return (
        f"{rollout.weight} % of the requests go to revision {rollout.revision} and the others to"
        f" {rollout.base}, for comparison"
    )


def _control_ended(rollout: RolloutStatus) -> Event:
    return normal(
        EventReason.CONTROL_DROPPED,
        f"Revision {rollout.revision} gets all requests: the spec leaves {rollout.base} no share"
        " of the bake any more.",
    )
