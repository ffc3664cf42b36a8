"""Rows 9 to 23, 36 to 42, 59 and 88: what gives a new revision traffic, and what it waits for."""

from halimede.api.status import State
from tools.transitions.row import Edge, Transition, abort_edges

AWAITING_PODS = (State.STARTING, State.PRIMING, State.SHIFTING, State.SCALING_UP)
AWAITING_ROUTE = (
    State.PRIMING,
    State.MIRRORING,
    State.SHIFTING,
    State.AWAITING_PROMOTION,
    State.SCALING_UP,
    State.PROMOTING,
)
JUDGED = (
    State.PRIMING,
    State.MIRRORING,
    State.AWAITING_PROMOTION,
    State.SHIFTING,
    State.ANALYSING,
    State.STEP_PAUSED,
    State.SCALING_UP,
    State.PROMOTING,
    State.BAKING,
)
AT_STEP = (State.ANALYSING, State.STEP_PAUSED)
WAITING = (State.MIRRORING, *AT_STEP, State.AWAITING_PROMOTION)

FORWARD = (
    Transition(
        9,
        "Children of the new revision are missing, or too few of its pods are ready.",
        "Its children are applied with the pods that its first weight needs.",
        ("rollout.checks.progress.starting", "plan.desired.diff_children"),
        held=(State.STARTING,),
    ),
    Transition(
        10,
        "The pods that the first weight needs are ready; blue-green: all of them.",
        "The route knows it at weight 0; blue-green's preview Service shows it.",
        ("rollout.checks.progress.starting",),
        ways=(
            Edge((State.STARTING,), State.PRIMING),
            Edge((State.STARTING,), State.AWAITING_PROMOTION),
        ),
    ),
    Transition(
        11,
        "The cluster has no room for its pods (Unschedulable, QuotaExceeded).",
        "No deadline runs, and it is never given up for it. `Extra`: CapacityHold after"
        " `capacityTimeoutSeconds`. `Wait`: nothing more. `Replace`: the stable revision gives a"
        " pod up, if of all that should be ready no other is missing; weights follow the ready"
        " pods, and never are more than `replicas` + 1 asked for.",
        (
            "rollout.checks.cluster_capacity.track_capacity",
            "rollout.checks.cluster_capacity.yield_stable_pod",
            "rollout.checks.progress.starting",
            "rollout.checks.progress.shifting",
            "rollout.checks.progress.scaling_up",
        ),
        held=AWAITING_PODS,
    ),
    Transition(
        12,
        "Too few of its pods are ready since `progressDeadlineSeconds`, and not for lack of room;"
        " or the API server has refused what runs it (400, 422) for 30 s.",
        "It is given up: ProgressDeadlineExceeded, or CanaryRefused.",
        ("rollout.checks.safety.past_deadline", "rollout.checks.safety.refused"),
        ways=abort_edges(*AWAITING_PODS),
    ),
    Transition(
        13,
        "It was never ready and restarted three times.",
        "It is given up: CanaryCrashed.",
        ("rollout.checks.safety.crashed",),
        ways=abort_edges(State.STARTING),
    ),
    Transition(
        14,
        "The route is live with it at weight 0, and proxies had `settleSeconds` for its pods.",
        "The step's weight is asked for, if the pods for it are ready.",
        ("rollout.checks.progress.priming",),
        ways=(Edge((State.PRIMING,), State.SHIFTING),),
    ),
    Transition(
        15,
        "The route is not accepted: told after 30 s, for 600 s at most.",
        "Weights stay; after that it is given up: RouteNotAccepted.",
        (
            "rollout.checks.safety.route_past_deadline",
            "rollout.checks.progress.priming",
            "rollout.checks.progress.shifting",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.progress.scaling_up",
            "rollout.checks.progress.promoting",
        ),
        held=AWAITING_ROUTE,
        ways=abort_edges(*AWAITING_ROUTE),
    ),
    Transition(
        16,
        "Both sides have the ready pods that the step's weight needs.",
        "The route gets the step's weight, in one write.",
        ("rollout.checks.progress.shifting",),
        held=(State.SHIFTING,),
    ),
    Transition(
        17,
        "A side lacks ready pods for the step's weight.",
        "The weight stays, and a raise that was never written is taken back; row 12 applies.",
        ("rollout.checks.progress.shifting", "rollout.checks.progress.priming"),
        held=(State.PRIMING, State.SHIFTING),
    ),
    Transition(
        59,
        "A canary by type Service: the shares are those of the pods.",
        "The entry Service selects the pods of both; the stable revision gives up as many as ready"
        " ones of the canary take their place, and `actualWeight` tells the share.",
        ("rollout.sizing.traffic.replicas", "plan.desired.desired_children"),
        held=(
            State.SHIFTING,
            State.ANALYSING,
            State.STEP_PAUSED,
            State.SCALING_UP,
            State.PROMOTING,
        ),
    ),
    Transition(
        18,
        "The step's weight is live since `settleSeconds`.",
        "The step's time begins; the judge looks after `warmupSeconds`.",
        ("rollout.checks.progress.shifting",),
        ways=(Edge((State.SHIFTING,), State.ANALYSING),),
    ),
    Transition(
        19,
        "The judge says Pass in this very pass, and `minSeconds` are over; at weight 0 it is not"
        " asked.",
        "The next step; at most one step a pass, however much time went by.",
        ("rollout.checks.progress.analysing",),
        held=(State.ANALYSING,),
        ways=(Edge((State.ANALYSING,), State.SHIFTING),),
    ),
    Transition(
        20,
        "The judge says Abort.",
        "It is given up with its evidence: AnalysisFailed.",
        ("rollout.checks.safety.aborted_by_evidence",),
        ways=abort_edges(
            State.MIRRORING,
            State.SHIFTING,
            State.ANALYSING,
            State.STEP_PAUSED,
            State.AWAITING_PROMOTION,
            State.SCALING_UP,
            State.PROMOTING,
        ),
    ),
    Transition(
        21,
        "The step's `maxSeconds` are over without a verdict.",
        "A human is asked; `onInconclusive: Abort` gives it up: Inconclusive.",
        (
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.safety.inconclusive_for_too_long",
        ),
        held=WAITING,
        ways=abort_edges(*WAITING),
    ),
    Transition(
        22,
        "No request of the new revision came.",
        "Weights stay and evidence is kept; `onNoData: Abort` gives it up after"
        " `noDataTimeoutSeconds`: NoData.",
        (
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.safety.no_data_for_too_long",
        ),
        held=WAITING,
        ways=abort_edges(*JUDGED),
    ),
    Transition(
        23,
        "Prometheus does not answer.",
        "Weights stay and evidence is kept; `onMetricsDown: Abort` gives it up after"
        " `metricsTimeoutSeconds`: MetricsDown.",
        (
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.safety.metrics_down_for_too_long",
        ),
        held=WAITING,
        ways=abort_edges(*JUDGED),
    ),
    Transition(
        36,
        "The last step passed, and its pause if it has one.",
        "It is brought to full scale.",
        ("rollout.checks.progress.analysing", "rollout.checks.progress.step_paused"),
        ways=(Edge(AT_STEP, State.SCALING_UP),),
    ),
    Transition(
        37,
        "Nine tenths of full scale are ready; below ten pods, all of them.",
        "The route gives it everything, or all but `controlPercent`; the stable revision stays in"
        " the route with the rest.",
        ("rollout.checks.progress.scaling_up",),
        ways=(Edge((State.SCALING_UP,), State.PROMOTING),),
    ),
    Transition(
        38,
        "Full scale is not ready.",
        "The last step's weight stays; row 12 gives it up, unless it is for lack of room.",
        ("rollout.checks.progress.scaling_up",),
        held=(State.SCALING_UP,),
    ),
    Transition(
        39,
        "The weight for the bake is live since `settleSeconds`.",
        "The bake begins; the old revision is at full scale.",
        ("rollout.checks.progress.promoting",),
        ways=(Edge((State.PROMOTING,), State.BAKING),),
    ),
    Transition(
        40,
        "In the bake the judge says Abort.",
        "It is given up: the old revision is warm, and one write brings everything back.",
        ("rollout.checks.safety.aborted_by_evidence",),
        ways=abort_edges(State.BAKING),
    ),
    Transition(
        41,
        "The bake is over, the judge had time to look, and the odds against it are under 3:1.",
        "If there is a control share, the new revision gets it, and the commit waits until this"
        " weight has been live for `settleSeconds`. Commit: the new revision becomes stable, and"
        " the old one stays warm for `scaleDownDelaySeconds`.",
        ("rollout.checks.bake.baking",),
        held=(State.BAKING,),
        ways=(Edge((State.BAKING,), State.DRAINING),),
    ),
    Transition(
        88,
        "The bake is over, and the odds against it are 3:1 or more.",
        "The bake continues until the odds are under 3:1, the verdict is Abort, or the command"
        " `promote-full-force` is given.",
        ("rollout.checks.bake.baking", "rollout.analysis_schedule.is_doubtful"),
        held=(State.BAKING,),
    ),
    Transition(
        42,
        "The old revision is out of the route since `settleSeconds`.",
        "The rollout is over; the old revision is deleted when its warm time ends.",
        ("rollout.checks.abort.draining", "rollout.machine.record_observations"),
        held=(State.DRAINING,),
        ways=(Edge((State.DRAINING,), None),),
    ),
    Transition(
        57,
        "Blue-green's preview is ready.",
        "It waits for `promote`, or goes on by itself with `autoPromote`.",
        ("rollout.checks.pre_traffic.awaiting_promotion",),
        held=(State.AWAITING_PROMOTION,),
        ways=(Edge((State.AWAITING_PROMOTION,), State.SCALING_UP),),
    ),
    Transition(
        58,
        "A raise was stored but never written (a kill), and now something holds it or lacks pods.",
        "The raise is taken back and decided anew.",
        ("rollout.checks.hold.revert_unwritten_raise", "rollout.checks.progress.promoting"),
        held=(State.SHIFTING,),
        ways=(Edge((State.PROMOTING,), State.SCALING_UP),),
    ),
    Transition(
        70,
        "A step with a `pause` has passed.",
        "Its weight stays, and it is judged on: for the pause's seconds, or until `promote`.",
        ("rollout.checks.progress.analysing", "rollout.checks.progress.step_paused"),
        held=(State.STEP_PAUSED,),
        ways=(Edge((State.ANALYSING,), State.STEP_PAUSED),),
    ),
    Transition(
        71,
        "A step's pause is over, and the judge says Pass in this very pass.",
        "The next step.",
        ("rollout.checks.progress.step_paused",),
        ways=(Edge((State.STEP_PAUSED,), State.SHIFTING),),
    ),
    Transition(
        72,
        "Proxies know its pods, and `canary.mirror` is set.",
        "It gets copies of requests; `StepStarted` is still to come. Nobody gets its answers.",
        ("rollout.checks.progress.priming",),
        ways=(Edge((State.PRIMING,), State.MIRRORING),),
    ),
    Transition(
        73,
        "The mirror's `minSeconds` are not over, or the judge has not said Pass.",
        "Copies go on; rows 21 to 23 apply.",
        ("rollout.checks.pre_traffic.mirroring",),
        held=(State.MIRRORING,),
    ),
    Transition(
        74,
        "The judge says Pass of the copies, or somebody commands `promote`.",
        "The copies end, and the first step begins; it is judged anew.",
        ("rollout.checks.pre_traffic.mirroring", "rollout.checks.pre_traffic.promoted_early"),
        ways=(Edge((State.MIRRORING,), State.SHIFTING),),
    ),
    Transition(
        75,
        "A gateway refuses the route while it has copies in it.",
        "It is given up: RouteNotAccepted. The route is what it was before.",
        ("rollout.checks.safety.mirror_refused",),
        ways=abort_edges(State.MIRRORING, State.AWAITING_PROMOTION),
    ),
    Transition(
        76,
        "`blueGreen.previewAnalysis` is set, and the judge says Pass of the preview.",
        "With `autoPromote` it is switched; else that is shown to whoever commands `promote`.",
        ("rollout.checks.pre_traffic.awaiting_promotion",),
        held=(State.AWAITING_PROMOTION,),
        ways=(Edge((State.AWAITING_PROMOTION,), State.SCALING_UP),),
    ),
)
