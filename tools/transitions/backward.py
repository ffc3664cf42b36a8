"""Rows 24 to 31, 43 to 46 and 89: what takes traffic away from either revision."""

from halimede.api.status import State
from tools.transitions.row import ROLLING, UNDECIDED, Edge, Transition, abort_edges

WITH_TRAFFIC = (
    State.MIRRORING,
    State.SHIFTING,
    State.ANALYSING,
    State.STEP_PAUSED,
    State.SCALING_UP,
)
ALL_TRAFFIC = (State.PROMOTING, State.BAKING)

BACKWARD = (
    Transition(
        24,
        "It has traffic and lost its last ready pod, and the stable revision has one.",
        "Its share goes to the stable revision at once. Back within 60 s it goes on at the same"
        " step; else, or with all traffic, it is given up: CanaryUnhealthy.",
        (
            "rollout.checks.safety.lost_its_pods",
            "rollout.checks.safety.stayed_unready",
            "rollout.checks.safety.lost_all_traffic_pods",
        ),
        ways=(
            Edge(WITH_TRAFFIC, State.PRIMING),
            Edge((State.AWAITING_PROMOTION,), State.STARTING),
            *abort_edges(State.PRIMING, *ALL_TRAFFIC),
        ),
    ),
    Transition(
        25,
        "It has traffic and lost a part of its ready pods, so that they are too few for it.",
        "It keeps what they can carry, rounded down to a step; it rises again with its pods.",
        ("rollout.checks.pod_loss.reduce_to_ready_pods",),
        held=(State.SHIFTING, State.SCALING_UP),
        ways=(
            Edge((State.ANALYSING, State.STEP_PAUSED), State.SHIFTING),
            Edge(ALL_TRAFFIC, State.SCALING_UP),
        ),
    ),
    Transition(
        26,
        "The stable revision has fewer ready pods than its share needs.",
        "No weight rises and no step ends: StableUnhealthy. Nothing moves to it that its ready"
        " pods could not carry.",
        (
            "rollout.checks.progress.shifting",
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pod_loss.stable_overflow",
        ),
        held=(State.SHIFTING, State.ANALYSING, State.STEP_PAUSED),
    ),
    Transition(
        27,
        "The stable revision has no ready pod, and the new one has.",
        "Weights stay; `onStableDown: ShiftToCanary` gives the new one everything until the stable"
        " one is back. `promote-full` is allowed.",
        ("rollout.checks.pod_loss.stable_is_down", "rollout.checks.pod_loss.stable_is_back"),
        held=(State.SHIFTING, State.SCALING_UP, State.AWAITING_PROMOTION),
        ways=(
            Edge((State.PRIMING, State.ANALYSING, State.STEP_PAUSED), State.SHIFTING),
            Edge((State.PRIMING,), State.SCALING_UP),
        ),
    ),
    Transition(
        89,
        "The stable revision lacks ready pods for the share that it kept for the bake, or the spec"
        " leaves it none any more.",
        "The new one gets everything, for the rest of the rollout: ControlDropped. The clock of"
        " the bake and the evidence go on.",
        ("rollout.checks.pod_loss.control_lost", "rollout.checks.bake.baking"),
        held=ALL_TRAFFIC,
    ),
    Transition(
        28,
        "The spec asks for a third revision.",
        "The second is given up, which is nobody's fault (Superseded); then the third begins.",
        ("rollout.checks.safety.superseded",),
        ways=abort_edges(*UNDECIDED),
    ),
    Transition(
        29,
        "The spec is back at the stable revision.",
        "One write brings everything back (Reverted); it has not failed.",
        ("rollout.checks.safety.reverted",),
        ways=abort_edges(*UNDECIDED),
    ),
    Transition(
        30,
        "The steps are edited, or the traffic has chosen the first weight.",
        "It goes on at the first step that asks for no less than it has; evidence is kept.",
        ("rollout.steps.remap_steps", "rollout.sizing.first_weight.choose_first_weight"),
        held=ROLLING,
        ways=(Edge((State.ANALYSING, State.STEP_PAUSED), State.SHIFTING),),
    ),
    Transition(
        31,
        "`spec.replicas` is edited, or the autoscaler acts.",
        "Both sides are scaled; the step goes on.",
        ("rollout.sizing.traffic.replicas",),
        held=ROLLING,
    ),
    Transition(
        43,
        "The revision is given up, and half of the stable pods are ready.",
        "All traffic goes to the stable revision in one write.",
        ("rollout.checks.abort.aborting", "rollout.decisions.abort_weight"),
        held=(State.ABORTING,),
    ),
    Transition(
        44,
        "The revision is given up, and too few stable pods are ready.",
        "The stable revision gets what its ready pods can carry, more of it in each pass.",
        ("rollout.checks.abort.aborting", "rollout.sizing.replicas.weight_on_abort"),
        held=(State.ABORTING,),
    ),
    Transition(
        45,
        "All traffic is back since `settleSeconds`.",
        "The revision leaves the route.",
        ("rollout.checks.abort.aborting",),
        ways=(Edge((State.ABORTING,), State.ABORT_DRAINING),),
    ),
    Transition(
        46,
        "It is out of the route since `settleSeconds` and `abortScaleDownDelaySeconds`; since 30 s"
        " if the spec asks for something else.",
        "Its children are deleted and the rollout is over; a third revision begins then.",
        ("rollout.checks.abort.abort_draining", "plan.desired.diff_children"),
        held=(State.ABORT_DRAINING,),
        ways=(Edge((State.ABORT_DRAINING,), None),),
    ),
)
