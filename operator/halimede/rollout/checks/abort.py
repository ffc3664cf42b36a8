"""The states in which traffic goes back, or an old revision leaves: nothing may hold them up."""

from halimede.api.reasons import Reason
from halimede.api.status import State
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import abort_weight, finish, set_weight, wait

SUPERSEDED_DRAIN_SECONDS = 30.0
"""How long the next revision waits at most for one that nobody asks for any more."""


def aborting(scene: RolloutContext) -> Decision:
    """Move all traffic back, as fast as the stable revision can carry it."""
    rollout, base = scene.rollout, scene.stable
    weight = abort_weight(scene)
    if weight < rollout.weight:
        return set_weight(scene, State.ABORTING, weight)
    if rollout.weight > 0:
        return wait(
            scene,
            Reason.STABLE_UNHEALTHY,
            f"The stable revision {base.revision} has only {base.ready_endpoints} of"
            f" {scene.facts.replicas} ready pods, so {rollout.weight} % stay where they are.",
            base.message,
        )
    if not scene.route_settled:
        return wait(scene, Reason.ROLLING_BACK, _back(scene))
    return set_weight(scene, State.ABORT_DRAINING, 0)


def abort_draining(scene: RolloutContext) -> Decision:
    """Let the stopped revision, out of the route by now, end its last requests.

    It stays for somebody to look at, but not in the way of what is asked for next. What it has
    still to answer when it goes has the time of `spec.drain`.
    """
    seconds: float = scene.settings.abort_scale_down_delay_seconds
    if scene.target != scene.rollout.revision:
        seconds = min(seconds, SUPERSEDED_DRAIN_SECONDS)
    drained = scene.elapsed(scene.rollout.state_since) >= seconds
    if not (drained and scene.route_settled):
        return wait(scene, Reason.ROLLING_BACK, _back(scene))
    return finish(scene)


def draining(scene: RolloutContext) -> Decision:
    """Wait until the old revision is out of the route; it stays warm for a while after."""
    if not scene.route_settled:
        return wait(
            scene,
            Reason.ROLLING_OUT,
            f"Revision {scene.rollout.revision} is stable; {scene.rollout.base} leaves the route.",
        )
    return finish(scene)


def _back(scene: RolloutContext) -> str:
    rollout = scene.rollout
    return f"All requests go back to revision {rollout.base}. {rollout.reason}: {rollout.message}"
