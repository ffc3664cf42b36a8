"""Checks that fit the weights to the pods that are left, on either side."""

from halimede.api.reasons import EventReason
from halimede.api.rollout import OnStableDown, Strategy
from halimede.api.status import RolloutStatus, State
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.decisions import drop_control, set_weight
from halimede.rollout.events import warning
from halimede.rollout.sizing.replicas import FULL_WEIGHT
from halimede.rollout.steps import ALL_TRAFFIC, is_stepwise

AT_A_STEP = frozenset({State.MIRRORING, State.SHIFTING, State.ANALYSING, State.STEP_PAUSED})


def control_lost(scene: RolloutContext) -> Decision | None:
    """Drop the control share if the stable revision lacks ready pods for it.

    If it has no ready pod, the share is dropped however many pods the new revision has.
    """
    rollout, ready = scene.rollout, scene.stable.ready_endpoints
    if (
        rollout.state not in ALL_TRAFFIC
        or rollout.weight == FULL_WEIGHT
        or scene.facts.replicas == 0
    ):
        return None
    wanted = scene.replicas_for(rollout.weight)[1]
    if ready >= wanted or scene.canary.ready_endpoints == 0:
        return None
    if not scene.at_full_scale and (ready > 0 or scene.raise_unwritten):
        return None
    event = warning(
        EventReason.CONTROL_DROPPED,
        f"Revision {rollout.base} has {ready} of {wanted} ready pods for its"
        f" {FULL_WEIGHT - rollout.weight} %; {rollout.revision} gets all requests.",
    )
    return drop_control(scene, event)


def stable_is_down(scene: RolloutContext) -> Decision | None:
    """No pod of the stable revision is ready, and the spec says that the new one covers it."""
    rollout = scene.rollout
    if scene.settings.on_stable_down is not OnStableDown.SHIFT or scene.facts.replicas == 0:
        return None
    if scene.stable.ready_endpoints > 0 or scene.canary.ready_endpoints == 0:
        return None
    if rollout.state is State.STARTING or rollout.weight == FULL_WEIGHT:
        return None
    state = rollout.state
    if state is State.PRIMING and not is_stepwise(rollout):
        state = State.SCALING_UP
    elif state is State.PRIMING or state in AT_A_STEP:
        state = State.SHIFTING
    event = warning(
        EventReason.STABLE_COVERED,
        f"Revision {rollout.base} has no ready pod; {rollout.revision} gets all requests until"
        " it is back.",
    )
    return set_weight(
        scene, state, FULL_WEIGHT, event, failover_since=scene.now, unready_since=None
    )


def stable_is_back(scene: RolloutContext) -> Decision | None:
    """The stable revision takes back what was covered, as far as its ready pods can carry it."""
    rollout = scene.rollout
    if rollout.failover_since is None or scene.stable.ready_endpoints == 0:
        return None
    if rollout.state in AT_A_STEP and scene.step is not None:
        state, due = State.SHIFTING, scene.step.weight
    elif rollout.state is State.AWAITING_PROMOTION:
        state, due = rollout.state, 0
    else:
        return None
    weight = max(due, stable_overflow(scene))
    if weight >= rollout.weight:
        return None
    since = rollout.failover_since if weight > due else None
    return set_weight(scene, state, weight, failover_since=since)


def reduce_to_ready_pods(scene: RolloutContext) -> Decision | None:
    """Some of its pods are gone: it keeps what the others can carry until they are back."""
    rollout, ready = scene.rollout, scene.canary.ready_endpoints
    if rollout.strategy is not Strategy.CANARY or rollout.weight == 0 or scene.raise_unwritten:
        return None
    if ready == 0 or scene.can_carry(rollout.weight):
        return None
    if scene.weight_by_replicas and rollout.weight < FULL_WEIGHT:
        return None  # its share has gone with its pods
    weight = max(_fitting(scene), stable_overflow(scene))
    if weight >= rollout.weight:
        return None
    event = warning(
        EventReason.TRAFFIC_REDUCED,
        f"Revision {rollout.revision} has {ready} ready pods, too few for {rollout.weight} %; it"
        f" keeps {weight} %.",
    )
    state = State.SHIFTING if rollout.state in AT_A_STEP else State.SCALING_UP
    return set_weight(scene, state, weight, event)


def describe_weight(rollout: RolloutStatus) -> str:
    """Write the share of the requests, and by its pods where that is another one."""
    share = f"{rollout.weight} %"
    if rollout.actual_weight in (None, rollout.weight):
        return share
    return f"{rollout.actual_weight} % by its pods, for {share}"


def stable_overflow(scene: RolloutContext) -> int:
    """Say what share the stable revision's ready pods could not carry."""
    return max(
        0, FULL_WEIGHT - FULL_WEIGHT * scene.stable.ready_endpoints // max(1, scene.facts.replicas)
    )


def _fitting(scene: RolloutContext) -> int:
    """Say what share its ready pods can carry: the highest step below, if there is one."""
    share = FULL_WEIGHT * scene.canary.ready_endpoints // scene.facts.replicas
    if scene.replaces_pods:
        return share
    steps = (step.weight for step in scene.settings.canary.steps if 0 < step.weight <= share)
    return max(steps, default=share)
