"""What a rollout waits for, in words with figures."""

from halimede.api.reasons import NotReadyReason, Reason, Verdict
from halimede.rollout.checks.cluster_capacity import capacity_timed_out, remedy
from halimede.rollout.checks.pod_loss import describe_weight
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import wait
from halimede.rollout.facts import CAPACITY, NEEDS_HELP, Workload
from halimede.rollout.remaining import time_left
from halimede.rollout.traffic_advice import advice_for_step

ROUTE_WAIT_SECONDS = 30.0
"""How long the route may stay unaccepted before that is what the conditions tell."""


def wait_for_pods(scene: RolloutContext, workload: Workload, wanted: int) -> Decision:
    """Wait for pods, and say what keeps them."""
    reason: Reason | NotReadyReason = Reason.ROLLING_OUT
    if workload.cause and workload.cause in CAPACITY | NEEDS_HELP:
        reason = workload.cause
    count = (
        f"{workload.ready_endpoints} of {wanted} pods of revision {workload.revision} are ready"
    )
    why = f" ({workload.cause})" if workload.cause else ""
    if capacity_timed_out(scene):
        return wait(scene, Reason.CAPACITY_HOLD, f"{count}{why}", workload.message, remedy(scene))
    return wait(scene, reason, f"{count}{why}", workload.message)


def wait_for_route(scene: RolloutContext, since: float | None = None) -> Decision:
    """Wait for the route to be accepted and for proxies to follow it.

    *since* is when the weight was set, if `last_progress_at` is older.
    """
    route, rollout = scene.facts.route, scene.rollout
    unanswered = rollout.weight_applied_at is None
    asked = rollout.last_progress_at if since is None else since
    if unanswered and scene.elapsed(asked) >= ROUTE_WAIT_SECONDS:
        return wait(
            scene, Reason.ROUTE_NOT_ACCEPTED, route.message or "The route is not accepted."
        )
    return wait(
        scene,
        Reason.ROLLING_OUT,
        f"The route is to give revision {rollout.revision} {rollout.weight} % ({rollout.state}).",
    )


def wait_for_tests(scene: RolloutContext, seconds: int) -> Decision:
    """Leave a revision without users to those who test it by hand."""
    rollout = scene.rollout
    return wait(
        scene,
        Reason.ROLLING_OUT,
        f"Revision {rollout.revision} is ready and gets no requests of users for {seconds} s"
        f" (step {rollout.step + 1} of {rollout.steps}).",
    )


def wait_for_user(scene: RolloutContext) -> Decision:
    """Wait for a person to decide, or for more evidence."""
    return wait(
        scene,
        Reason.PAUSED,
        f"Step {scene.rollout.step + 1} is inconclusive after its maxSeconds; it goes on with more"
        " evidence or with the command `promote`.",
        time_needed(scene),
        analysis_message(scene),
    )


def wait_for_evidence(scene: RolloutContext) -> Decision:
    """Wait for the judge; say so if there is nothing to judge by."""
    rollout = scene.rollout
    if without_evidence(scene):
        return wait(
            scene, Reason.METRICS_HOLD, analysis_message(scene), "The weights stay as they are."
        )
    step = f"step {rollout.step + 1} of {rollout.steps}"
    message = f"Revision {rollout.revision} gets {describe_weight(rollout)} ({step})"
    return wait(
        scene,
        Reason.ROLLING_OUT,
        message,
        time_needed(scene),
        analysis_message(scene),
    )


def time_needed(scene: RolloutContext) -> str:
    """Say that the requests do not suffice, or else how long the step still takes."""
    rollout, settings = scene.rollout, scene.settings
    return advice_for_step(rollout, settings) or time_left(rollout, settings)


def without_evidence(scene: RolloutContext) -> bool:
    """Whether the judge saw no request or could not see at all when it last looked."""
    evidence = scene.rollout.evidence
    return evidence is not None and evidence.verdict in (Verdict.NO_DATA, Verdict.METRICS_DOWN)


def analysis_message(scene: RolloutContext) -> str:
    """Say what the judge said last, with its figures."""
    evidence = scene.rollout.evidence
    return (evidence and evidence.message) or ""
