"""What a rollout waits for, in words with figures."""

from halimede.api.conditions import Reason
from halimede.judge.verdict import Verdict
from halimede.rollout.facts import CAPACITY, NEEDS_HELP, Cause, Workload
from halimede.rollout.moves import wait
from halimede.rollout.remaining import time_left
from halimede.rollout.room import cure, overdue
from halimede.rollout.scene import Move, Scene
from halimede.rollout.shares import told_share
from halimede.rollout.shortage import lacking

ROUTE_PATIENCE_SECONDS = 30.0
"""How long the route may stay unaccepted before that is what the conditions tell."""


def await_pods(scene: Scene, workload: Workload, wanted: int) -> Move:
    """Wait for pods, and say what keeps them."""
    reason: Reason | Cause = Reason.ROLLING_OUT
    if workload.cause and workload.cause in CAPACITY | NEEDS_HELP:
        reason = workload.cause
    count = (
        f"{workload.ready_endpoints} of {wanted} pods of revision {workload.revision} are ready"
    )
    why = f" ({workload.cause})" if workload.cause else ""
    if overdue(scene):
        return wait(scene, Reason.CAPACITY_HOLD, f"{count}{why}", workload.message, cure(scene))
    return wait(scene, reason, f"{count}{why}", workload.message)


def await_route(scene: Scene, since: float | None = None) -> Move:
    """Wait for the route to be accepted and for proxies to follow it.

    *since* is when the weight was set, if `last_progress_at` is older.
    """
    route, rollout = scene.facts.route, scene.rollout
    unanswered = rollout.weight_applied_at is None
    asked = rollout.last_progress_at if since is None else since
    if unanswered and scene.elapsed(asked) >= ROUTE_PATIENCE_SECONDS:
        return wait(
            scene, Reason.ROUTE_NOT_ACCEPTED, route.message or "The route is not accepted."
        )
    return wait(
        scene,
        Reason.ROLLING_OUT,
        f"The route is to give revision {rollout.revision} {rollout.weight} % ({rollout.state}).",
    )


def await_tests(scene: Scene, seconds: int) -> Move:
    """Leave a revision without users to those who test it by hand."""
    rollout = scene.rollout
    return wait(
        scene,
        Reason.ROLLING_OUT,
        f"Revision {rollout.revision} is ready and gets no requests of users for {seconds} s"
        f" (step {rollout.step + 1} of {rollout.steps}).",
    )


def await_somebody(scene: Scene) -> Move:
    """Wait for a person to decide, or for more evidence."""
    return wait(
        scene,
        Reason.PAUSED,
        f"Step {scene.rollout.step + 1} is inconclusive after its maxSeconds; it goes on with more"
        " evidence or with the command `promote`.",
        time_needed(scene),
        told(scene),
    )


def await_evidence(scene: Scene) -> Move:
    """Wait for the judge; say so if there is nothing to judge by."""
    rollout = scene.rollout
    if without_evidence(scene):
        return wait(scene, Reason.METRICS_HOLD, told(scene), "The weights stay as they are.")
    step = f"step {rollout.step + 1} of {rollout.steps}"
    message = f"Revision {rollout.revision} gets {told_share(rollout)} ({step})"
    return wait(
        scene,
        Reason.ROLLING_OUT,
        message,
        time_needed(scene),
        told(scene),
    )


def time_needed(scene: Scene) -> str:
    """Say that the requests do not suffice, or else how long the step still takes."""
    rollout, settings = scene.rollout, scene.settings
    return lacking(rollout, settings) or time_left(rollout, settings)


def without_evidence(scene: Scene) -> bool:
    """Whether the judge saw no request or could not see at all when it last looked."""
    evidence = scene.rollout.evidence
    return evidence is not None and evidence.verdict in (Verdict.NO_DATA, Verdict.METRICS_DOWN)


def told(scene: Scene) -> str:
    """Say what the judge said last, with its figures."""
    evidence = scene.rollout.evidence
    return (evidence and evidence.message) or ""
