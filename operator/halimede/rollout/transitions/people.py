"""Rows 32 to 35, 47 and 48: what people command."""

from halimede.api.status import State
from halimede.rollout.transitions.row import UNDECIDED, Transition, Way, given_up

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
        ("rollout.advance.promote_commanded",),
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
        "The command `abort`, until the commit.",
        "It is given up, whatever else is asked: AbortCommanded.",
        ("rollout.safety.aborted_by_command",),
        ways=given_up(*UNDECIDED),
    ),
    Transition(
        56,
        "A pause lasts for `pauseTimeoutSeconds`.",
        "It was forgotten: the revision is given up: PauseTimeout.",
        ("rollout.safety.pause_forgotten",),
        ways=given_up(*UNDECIDED),
    ),
)
