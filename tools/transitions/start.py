"""Rows 1 to 8: nothing is under way, or a rollout begins."""

from halimede.api.status import State
from tools.transitions.row import UNDECIDED, Edge, Transition

START = (
    Transition(
        1,
        "A new object is seen.",
        "The first revision's children are made at full scale, and the route gives it everything.",
        ("rollout.checks.start.first_deployment", "plan.desired.desired_children"),
        held=(None,),
    ),
    Transition(
        2,
        "No revision is stable yet, and the target has a ready pod.",
        "The target is stable, without analysis: there is nothing to compare it with.",
        ("rollout.checks.start.first_deployment",),
        held=(None,),
    ),
    Transition(
        3,
        "No revision is stable yet, and the spec asks for another.",
        "The one that never served is deleted; the other takes its place.",
        (
            "rollout.checks.start.first_deployment",
            "rollout.machine.record_observations",
            "plan.desired.diff_children",
        ),
        held=(None,),
    ),
    Transition(
        4,
        "No revision is stable yet after `progressDeadlineSeconds`.",
        "Ready is False and Stalled is True with the cause; readiness or a new spec ends it.",
        ("plan.conditions.ready_state",),
        held=(None,),
    ),
    Transition(
        5,
        "The spec asks for a revision that is not stable and has not failed.",
        "A rollout begins at the first step.",
        ("rollout.checks.start.begin",),
        ways=(Edge((None,), State.STARTING),),
    ),
    Transition(
        6,
        "The spec asks for a revision that was stopped.",
        "Nothing; Ready is False. The command `retry` forgets the failure.",
        (
            "rollout.checks.start.failed_before",
            "rollout.checks.start.forget_failure",
            "plan.conditions.ready_state",
        ),
        held=(None,),
    ),
    Transition(
        7,
        "The spec goes back to a revision that is still warm or within"
        " `rollbackWindowRevisions`, and that did not have to be left.",
        "A rollout without steps begins: full scale, then all traffic at once, then the bake.",
        (
            "rollout.checks.start.begin",
            "rollout.revision_history.may_skip_steps",
            "rollout.checks.progress.priming",
            "rollout.checks.progress.starting",
        ),
        ways=(
            Edge((None,), State.STARTING),
            Edge((State.STARTING,), State.PRIMING),
            Edge((State.PRIMING,), State.SCALING_UP),
        ),
    ),
    Transition(
        8,
        "Only replicas, autoscaling or settings of the rollout were edited.",
        "The stable revision is scaled; no rollout begins.",
        ("rollout.checks.start.serves_already", "plan.desired.desired_children"),
        held=(None,),
    ),
    Transition(
        54,
        "The spec says something that cannot be carried out.",
        "No rollout begins, and none goes on; safety stays on. Ready is False with the cure.",
        (
            "rollout.checks.start.spec_invalid",
            "rollout.checks.hold.spec_invalid",
            "plan.conditions.ready_state",
        ),
        held=(None, *UNDECIDED),
    ),
    Transition(
        55,
        "`spec.replicas` is 0.",
        "The target is stable as it is; a rollout under way waits for pods.",
        ("rollout.checks.start.nothing_is_to_serve", "rollout.checks.hold.scaled_to_zero"),
        held=(None, *UNDECIDED),
    ),
)
