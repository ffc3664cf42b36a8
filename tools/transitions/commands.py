"""Commands of users."""

from halimede.api.status import State
from halimede.rollout import states
from tools.transitions.row import ANYWHERE, Edge, Transition, abort_edges, in_order

UNDECIDED = in_order(states.UNDECIDED)

COMMANDS = (
    Transition(
        "pause-command",
        "The command `pause`, or `spec.rollout.paused`.",
        "No weight rises and no step ends; abort, safety checks and scaling go on.",
        ("rollout.checks.hold.paused", "rollout.pauses.pause", "rollout.pauses.track_spec_pause"),
        unchanged=UNDECIDED,
    ),
    Transition(
        "resume-command",
        "The command `resume`.",
        "The pause, or the wait for evidence, ends; the clocks of the step and of deadlines"
        " restart.",
        ("rollout.pauses.resume",),
        unchanged=UNDECIDED,
    ),
    Transition(
        "promote-command",
        "The command `promote`.",
        "The rollout goes one step on without further evidence, or a blue-green rollout switches;"
        " ready pods are still awaited.",
        ("rollout.checks.progress.promote_commanded", "rollout.checks.pre_traffic.promoted_early"),
        edges=(
            Edge(in_order(states.AT_STEP_WEIGHT), State.SHIFTING),
            Edge((State.ANALYSING, State.STEP_PAUSED, State.AWAITING_PROMOTION), State.SCALING_UP),
        ),
    ),
    Transition(
        "promote-full-command",
        "The command `promote-full`.",
        "The remaining steps are skipped; full scale, the route and the bake are still awaited.",
        ("rollout.checks.progress.promote_full_commanded",),
        unchanged=in_order(states.UNDISCOVERED),
        edges=(
            Edge(
                in_order(states.SKIPPABLE - states.UNDISCOVERED),
                State.SCALING_UP,
            ),
        ),
    ),
    Transition(
        "abort-command",
        "The command `abort`, or `rollback` without another revision, until the commit.",
        "The rollout is aborted, whatever else is asked for: AbortCommanded, RollbackCommanded.",
        ("rollout.checks.safety.aborted_by_command",),
        edges=abort_edges(*UNDECIDED),
    ),
    Transition(
        "rollback-command",
        "The command `rollback`, with the name of a third revision if a rollout is under way.",
        "An earlier revision is the target until the spec changes or `resume`. A rollout to it"
        " starts, without steps and with the bake.",
        (
            "rollout.revision_history.pin",
            "rollout.revision_history.unpin",
            "rollout.revision_history.expire_pin",
            "rollout.checks.start.begin",
        ),
        unchanged=ANYWHERE,
        edges=(Edge((None,), State.STARTING),),
    ),
    Transition(
        "pause-timeout",
        "A pause has lasted for `pauseTimeoutSeconds`.",
        "The rollout is aborted: PauseTimeout.",
        ("rollout.checks.safety.pause_forgotten",),
        edges=abort_edges(*UNDECIDED),
    ),
    Transition(
        "promote-full-force-command",
        "The command `promote-full-force`, until the commit.",
        "As `promote-full-command`, but without the bake, and verdicts are ignored. In a bake the"
        " new revision gets the control share first.",
        ("rollout.checks.progress.promote_full_force_commanded",),
        unchanged=in_order(states.UNDISCOVERED | states.FINAL),
        edges=(
            Edge(
                (*in_order(states.SKIPPABLE - states.UNDISCOVERED), State.PROMOTING),
                State.SCALING_UP,
            ),
            Edge((State.SCALING_UP,), State.PROMOTING),
            Edge((State.PROMOTING,), State.BAKING),
            Edge((State.PROMOTING,), State.STARTING),
            Edge((State.BAKING,), State.DRAINING),
        ),
    ),
)
