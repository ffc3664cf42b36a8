"""Rows 32 to 35, 47, 48, 56 and 80: what people command."""

from halimede.api.status import State
from halimede.rollout.transitions.row import ANYWHERE, UNDECIDED, Transition, Way, given_up

PEOPLE = (
    Transition(
        32,
        "The command `pause`, or `spec.rollout.paused`.",
        "No weight rises and no step ends; abort, safety and scaling go on.",
        ("rollout.holding.paused", "rollout.pauses.paused", "rollout.pauses.noted"),
        held=UNDECIDED,
    ),
    Transition(
        33,
        "The command `resume`.",
        "The pause, or the wait for evidence, ends; the clocks of step and deadlines restart.",
        ("rollout.pauses.resumed",),
        held=UNDECIDED,
    ),
    Transition(
        34,
        "The command `promote`.",
        "One step on without further evidence, or blue-green's switch; pods are still awaited.",
        ("rollout.advance.promote_commanded", "rollout.rehearsal.promoted_early"),
        ways=(
            Way((State.ANALYSING, State.STEP_PAUSED), State.SHIFTING),
            Way((State.ANALYSING, State.STEP_PAUSED, State.AWAITING_PROMOTION), State.SCALING_UP),
        ),
    ),
    Transition(
        35,
        "The command `promote-full`.",
        "The remaining steps are skipped; full scale, the route and the bake are still awaited.",
        ("rollout.advance.promote_full_commanded",),
        held=(State.STARTING, State.PRIMING),
        ways=(
            Way(
                (
                    State.MIRRORING,
                    State.SHIFTING,
                    State.ANALYSING,
                    State.STEP_PAUSED,
                    State.AWAITING_PROMOTION,
                ),
                State.SCALING_UP,
            ),
        ),
    ),
    Transition(
        47,
        "The command `abort`, or `rollback` without another revision, until the commit.",
        "It is given up, whatever else is asked: AbortCommanded, RollbackCommanded.",
        ("rollout.safety.aborted_by_command",),
        ways=given_up(*UNDECIDED),
    ),
    Transition(
        48,
        "The command `rollback`, with the name of a third revision if a rollout is under way.",
        "An earlier revision is the target until the spec changes or `resume`: a rollout to it"
        " begins, without steps and with the bake.",
        (
            "rollout.history.rolled_back",
            "rollout.history.unpinned",
            "rollout.history.held",
            "rollout.idle.begin",
        ),
        held=ANYWHERE,
        ways=(Way((None,), State.STARTING),),
    ),
    Transition(
        56,
        "A pause lasts for `pauseTimeoutSeconds`.",
        "It was forgotten: the revision is given up: PauseTimeout.",
        ("rollout.safety.pause_forgotten",),
        ways=given_up(*UNDECIDED),
    ),
    Transition(
        80,
        "The command `promote-full-force`, until the commit.",
        "As 35, and without the bake; the judge is not heeded any more. In a bake the control"
        " share is shifted to the revision first.",
        ("rollout.advance.promote_full_force_commanded",),
        held=(
            State.STARTING,
            State.PRIMING,
            State.SCALING_UP,
            State.PROMOTING,
            State.BAKING,
        ),
        ways=(
            Way(
                (
                    State.MIRRORING,
                    State.SHIFTING,
                    State.ANALYSING,
                    State.STEP_PAUSED,
                    State.AWAITING_PROMOTION,
                    State.PROMOTING,
                ),
                State.SCALING_UP,
            ),
            Way((State.SCALING_UP,), State.PROMOTING),
            Way((State.PROMOTING,), State.BAKING),
            Way((State.PROMOTING,), State.STARTING),
            Way((State.BAKING,), State.DRAINING),
        ),
    ),
)
