"""Rows 1 to 8: nothing is under way, or a rollout begins."""

from halimede.api.status import State
from halimede.rollout.transitions.row import UNDECIDED, Transition, Way

START = (
    Transition(
        1,
        "A new object is seen.",
        "The first revision's children are made at full scale, and the route gives it everything.",
        ("rollout.idle.first_deployment", "reconcile.wanted.children"),
        held=(None,),
    ),
    Transition(
        2,
        "No revision is stable yet, and the target has a ready pod.",
        "The target is stable, without analysis: there is nothing to compare it with.",
        ("rollout.idle.first_deployment",),
        held=(None,),
    ),
    Transition(
        3,
        "No revision is stable yet, and the spec asks for another.",
        "The one that never served is deleted; the other takes its place.",
        ("rollout.idle.first_deployment", "rollout.machine.learned", "reconcile.wanted.work"),
        held=(None,),
    ),
    Transition(
        4,
        "No revision is stable yet after `progressDeadlineSeconds`.",
        "Ready is False and Stalled is True with the cause; readiness or a new spec ends it.",
        ("reconcile.status.ready",),
        held=(None,),
    ),
    Transition(
        5,
        "The spec asks for a revision that is not stable and has not failed.",
        "A rollout begins at the first step.",
        ("rollout.idle.begin",),
        ways=(Way((None,), State.STARTING),),
    ),
    Transition(
        6,
        "The spec asks for a revision that was stopped.",
        "Nothing; Ready is False. The command `retry` forgets the failure.",
        ("rollout.idle.failed_before", "rollout.idle.retried", "reconcile.status.ready"),
        held=(None,),
    ),
    Transition(
        7,
        "The spec goes back to a revision that is still warm or within"
        " `rollbackWindowRevisions`, and that did not have to be left.",
        "A rollout without steps begins: full scale, then all traffic at once, then the bake.",
        (
            "rollout.idle.begin",
            "rollout.history.without_steps",
            "rollout.advance.priming",
            "rollout.advance.starting",
        ),
        ways=(
            Way((None,), State.STARTING),
            Way((State.STARTING,), State.PRIMING),
            Way((State.PRIMING,), State.SCALING_UP),
        ),
    ),
    Transition(
        8,
        "Only replicas, autoscaling or settings of the rollout were edited.",
        "The stable revision is scaled; no rollout begins.",
        ("rollout.idle.serves_already", "reconcile.wanted.children"),
        held=(None,),
    ),
    Transition(
        54,
        "The spec says something that cannot be carried out.",
        "No rollout begins, and none goes on; safety stays on. Ready is False with the cure.",
        ("rollout.idle.spec_invalid", "rollout.holding.spec_invalid", "reconcile.status.ready"),
        held=(None, *UNDECIDED),
    ),
    Transition(
        55,
        "`spec.replicas` is 0.",
        "The target is stable as it is; a rollout under way waits for pods.",
        ("rollout.idle.nothing_is_to_serve", "rollout.holding.scaled_to_zero"),
        held=(None, *UNDECIDED),
    ),
)
