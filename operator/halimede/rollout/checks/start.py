"""What happens while no rollout is under way: nothing, or the begin of one."""

from uuid import NAMESPACE_OID, uuid5

from halimede.api.base import RevisionHash
from halimede.api.reasons import EventReason
from halimede.api.rollout import Strategy
from halimede.api.status import FailedRevision, RolloutStatus, State, Status
from halimede.rollout.command import Verb
from halimede.rollout.context import Decision, RolloutContext
from halimede.rollout.events import normal, warning
from halimede.rollout.revision_history import make_stable, may_skip_steps


def serves_already(scene: RolloutContext) -> Decision | None:
    """What is asked for is stable."""
    stable = scene.status.stable
    if stable is None or stable.revision != scene.target:
        return None
    return Decision(scene.status)


def first_deployment(scene: RolloutContext) -> Decision | None:
    """Nothing has served yet, so there is nothing to compare with and nothing to protect."""
    if scene.status.stable is not None:
        return None
    target = scene.target
    if scene.facts.workload(target).ready_endpoints == 0 and scene.facts.replicas > 0:
        return Decision(scene.status)
    event = normal(
        EventReason.FIRST_REVISION, f"Revision {target} is the first and serves all requests."
    )
    return Decision(_with_stable(scene), (event,) if scene.facts.replicas else ())


def nothing_is_to_serve(scene: RolloutContext) -> Decision | None:
    """Scaled to zero, a new revision can do no harm and take no evidence."""
    return Decision(_with_stable(scene)) if scene.facts.replicas == 0 else None


def spec_invalid(scene: RolloutContext) -> Decision | None:
    """Nothing begins while the spec cannot be understood, unless it was commanded."""
    return Decision(scene.status) if scene.goal.invalid and not scene.status.pinned else None


def failed_before(scene: RolloutContext) -> Decision | None:
    """The revision was stopped before, and is not tried again by itself."""
    return Decision(scene.status) if failed_record(scene.status, scene.target) else None


def begin(scene: RolloutContext) -> Decision:
    """Start to roll the target out. Back to a revision that served before there are no steps."""
    rollout = new_rollout(scene)
    recreate = rollout.strategy is Strategy.RECREATE
    back = rollout.steps == 0 and not recreate
    event = normal(
        EventReason.ROLLOUT_STARTED,
        f"Revision {rollout.revision} is to follow {rollout.base} by {rollout.strategy}"
        + (", without steps: it was stable before." if back else "."),
    )
    status = scene.status.evolve(rollout=rollout)
    if recreate or (scene.goal.no_router and rollout.strategy is Strategy.CANARY):
        # What is warm stands where the new pods are to be; and behind an entry Service that
        # shares out by pods, all that there are have requests.
        status = status.evolve(warm_revisions=())
    if not recreate:
        return Decision(status, (event,))
    outage = warning(
        EventReason.RECREATING,
        f"Revision {rollout.base} stops before {rollout.revision} starts: no requests are served"
        " meanwhile.",
    )
    return Decision(status, (event, outage))


IDLE = (serves_already, first_deployment, spec_invalid, nothing_is_to_serve, failed_before, begin)
"""Asked in this order; the last one always answers."""


def failed_record(status: Status, revision: RevisionHash) -> FailedRevision | None:
    """Find out whether a revision was stopped before."""
    return next((one for one in status.failed_revisions if one.revision == revision), None)


def forget_failure(scene: RolloutContext) -> Status | None:
    """Forget the target's failure, if that is commanded."""
    command, target = scene.command, scene.target
    if command is None or command.verb is not Verb.RETRY:
        return None
    if command.revision not in (None, target) or failed_record(scene.status, target) is None:
        return None
    others = tuple(one for one in scene.status.failed_revisions if one.revision != target)
    return scene.status.evolve(failed_revisions=others)


def new_rollout(scene: RolloutContext) -> RolloutStatus:
    """Describe the rollout that begins now."""
    status, target, settings = scene.status, scene.target, scene.settings
    if status.stable is None:
        raise LookupError("there is no stable revision to compare with")
    strategy = settings.strategy
    if strategy is Strategy.RECREATE and any(
        one.revision == target for one in status.warm_revisions
    ):
        strategy = Strategy.CANARY  # both of them run, so there is room for both
    steps = {Strategy.CANARY: len(settings.canary.steps), Strategy.BLUE_GREEN: 1}
    recreate = strategy is Strategy.RECREATE
    message = "The old revision was stopped before it started." if recreate else None
    if back := may_skip_steps(scene) and not recreate:
        message = "It was stable before, so its steps were skipped."
    token = status.last_command.token if status.last_command else ""
    seed = f"{scene.goal.identity}:{target}:{token}"
    return RolloutStatus(
        id=str(uuid5(NAMESPACE_OID, seed)),
        strategy=strategy,
        base=status.stable.revision,
        revision=target,
        state=State.STOPPING if recreate else State.STARTING,
        state_since=scene.now,
        started_at=scene.now,
        last_progress_at=scene.now,
        steps=0 if back else steps.get(strategy, 0),
        replicas=scene.facts.replicas if recreate else None,
        message=message,
    )


def _with_stable(scene: RolloutContext) -> Status:
    return make_stable(scene.status, scene.target, scene.settings, scene.now)
