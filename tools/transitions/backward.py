"""What takes traffic away from either revision."""

from halimede.api.status import State
from halimede.rollout import states
from tools.transitions.row import ROLLING, Edge, Transition, abort_edges, in_order

ALL_TRAFFIC = in_order(states.ALL_TRAFFIC)
AT_STEP_WEIGHT = in_order(states.AT_STEP_WEIGHT)
UNDECIDED = in_order(states.UNDECIDED)

BACKWARD = (
    Transition(
        "canary-lost-last-pod",
        "The new revision has traffic and lost its last ready pod; the stable revision has one.",
        "The stable revision gets all requests at once. If a pod is ready again within 60 s, the"
        " rollout goes on at the same step; otherwise, or in Promoting and Baking, it is aborted:"
        " CanaryUnhealthy.",
        (
            "rollout.checks.safety.lost_its_pods",
            "rollout.checks.safety.stayed_unready",
            "rollout.checks.safety.lost_all_traffic_pods",
        ),
        edges=(
            Edge(in_order(states.HEADER_ROUTED - states.ALL_TRAFFIC), State.PRIMING),
            Edge((State.AWAITING_PROMOTION,), State.STARTING),
            *abort_edges(State.PRIMING, *ALL_TRAFFIC),
        ),
    ),
    Transition(
        "canary-lost-pods",
        "The new revision has traffic and lost so many ready pods that the others cannot carry"
        " it.",
        "The weight is lowered to what they can carry, rounded down to a step; it rises again with"
        " the ready pods.",
        ("rollout.checks.pod_loss.reduce_to_ready_pods",),
        unchanged=(State.SHIFTING, State.SCALING_UP),
        edges=(
            Edge(AT_STEP_WEIGHT, State.SHIFTING),
            Edge(ALL_TRAFFIC, State.SCALING_UP),
        ),
    ),
    Transition(
        "stable-lacks-pods",
        "The stable revision has fewer ready pods than its weight needs.",
        "No weight rises and no step ends: StableUnhealthy. The stable revision gets no requests"
        " back that its ready pods could not carry.",
        (
            "rollout.checks.progress.shifting",
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pod_loss.stable_overflow",
        ),
        unchanged=(State.SHIFTING, State.ANALYSING, State.STEP_PAUSED),
    ),
    Transition(
        "stable-lost-last-pod",
        "The stable revision has no ready pod, and the new one has at least one.",
        "The weights stay. With `onStableDown: ShiftToCanary` the new revision gets all requests"
        " until the stable one has ready pods again. `promote-full` is accepted.",
        ("rollout.checks.pod_loss.stable_is_down", "rollout.checks.pod_loss.stable_is_back"),
        unchanged=(State.SHIFTING, State.SCALING_UP, State.AWAITING_PROMOTION),
        edges=(
            Edge((State.PRIMING, State.ANALYSING, State.STEP_PAUSED), State.SHIFTING),
            Edge((State.PRIMING,), State.SCALING_UP),
        ),
    ),
    Transition(
        "control-dropped",
        "The stable revision lacks ready pods for its control share, or the spec no longer gives"
        " it one.",
        "The new revision gets all requests for the rest of the rollout: ControlDropped. The time"
        " of the bake continues to run, and the evidence is kept.",
        ("rollout.checks.pod_loss.control_lost", "rollout.checks.bake.baking"),
        unchanged=ALL_TRAFFIC,
    ),
    Transition(
        "third-revision",
        "The spec asks for a third revision.",
        "The rollout of the second one stops, which is not recorded as a failure (Superseded);"
        " then the rollout of the third one starts.",
        ("rollout.checks.safety.superseded",),
        edges=abort_edges(*UNDECIDED),
    ),
    Transition(
        "reverted",
        "The spec asks for the stable revision again.",
        "All requests go back in one write (Reverted); the new revision is not recorded as"
        " failed.",
        ("rollout.checks.safety.reverted",),
        edges=abort_edges(*UNDECIDED),
    ),
    Transition(
        "steps-edited",
        "The steps are edited, or the first weight is chosen by the traffic.",
        "The rollout goes on at the first step whose weight is not below the current one; the"
        " evidence is kept.",
        ("rollout.steps.remap_steps", "rollout.sizing.first_weight.choose_first_weight"),
        unchanged=ROLLING,
        edges=(Edge(AT_STEP_WEIGHT, State.SHIFTING),),
    ),
    Transition(
        "replicas-edited",
        "`spec.replicas` is edited, or the autoscaler changes the number of pods.",
        "Both revisions are scaled; the step goes on.",
        ("rollout.sizing.traffic.replicas",),
        unchanged=ROLLING,
    ),
    Transition(
        "abort-at-once",
        "The rollout is aborted, and half of the stable pods are ready.",
        "The stable revision gets all traffic in one write.",
        ("rollout.checks.abort.aborting", "rollout.decisions.abort_weight"),
        unchanged=(State.ABORTING,),
    ),
    Transition(
        "abort-by-ready-pods",
        "The rollout is aborted, and less than half of the stable pods are ready.",
        "The stable revision gets what its ready pods can carry, in each reconcile more.",
        ("rollout.checks.abort.aborting", "rollout.sizing.replicas.weight_on_abort"),
        unchanged=(State.ABORTING,),
    ),
    Transition(
        "abort-traffic-back",
        "All traffic has been back on the stable revision for `settleSeconds`.",
        "The new revision is removed from the route.",
        ("rollout.checks.abort.aborting",),
        edges=(Edge((State.ABORTING,), State.ABORT_DRAINING),),
    ),
    Transition(
        "abort-drained",
        "The aborted revision has been out of the route for `settleSeconds` and for"
        " `abortScaleDownDelaySeconds`; at most 30 s if another revision is asked for.",
        "Its children are deleted, and the rollout is over; the rollout of a third revision starts"
        " then.",
        ("rollout.checks.abort.abort_draining", "plan.desired.diff_children"),
        unchanged=(State.ABORT_DRAINING,),
        edges=(Edge((State.ABORT_DRAINING,), None),),
    ),
)
