"""What gives a new revision traffic, and what it waits for."""

from halimede.api.status import State
from halimede.rollout import states
from tools.transitions.row import Edge, Transition, abort_edges, in_order

AWAITING_PODS = in_order(states.AWAITING_PODS)
AWAITING_ROUTE = in_order(states.AWAITING_ROUTE)
AWAITING_EVIDENCE = in_order(states.AWAITING_EVIDENCE)
JUDGED = in_order(states.IN_ROUTE - states.DECIDED)

FORWARD = (
    Transition(
        "canary-starting",
        "The new revision lacks children, or too few of its pods are ready.",
        "Its children are applied with the pods that its first weight needs.",
        ("rollout.checks.progress.starting", "plan.desired.diff_children"),
        unchanged=(State.STARTING,),
    ),
    Transition(
        "canary-ready",
        "The pods that the first weight needs are ready; for blue-green, all pods.",
        "The new revision is added to the route at weight 0; for blue-green, the preview Service"
        " selects it.",
        ("rollout.checks.progress.starting",),
        edges=(
            Edge((State.STARTING,), State.PRIMING),
            Edge((State.STARTING,), State.AWAITING_PROMOTION),
        ),
    ),
    Transition(
        "no-capacity",
        "The cluster has no room for the new revision's pods (Unschedulable, QuotaExceeded).",
        "No deadline runs, and the rollout is never aborted for this. `Extra`: CapacityHold after"
        " `capacityTimeoutSeconds`. `Wait`: it only waits. `Replace`: the stable revision gives up"
        " a pod, if no other pod that should be ready is missing; the weights follow the ready"
        " pods, and at most `replicas` + 1 pods are asked for.",
        (
            "rollout.checks.cluster_capacity.track_capacity",
            "rollout.checks.cluster_capacity.yield_stable_pod",
            "rollout.checks.progress.starting",
            "rollout.checks.progress.shifting",
            "rollout.checks.progress.scaling_up",
        ),
        unchanged=AWAITING_PODS,
    ),
    Transition(
        "pods-past-deadline",
        "Too few pods of the new revision become ready within `progressDeadlineSeconds`, and not"
        " for lack of room; or the API server has rejected its objects (400, 422) for 30 s.",
        "The rollout is aborted: ProgressDeadlineExceeded, or CanaryRejected.",
        ("rollout.checks.safety.past_deadline", "rollout.checks.safety.rejected"),
        edges=abort_edges(*AWAITING_PODS),
    ),
    Transition(
        "canary-crashed",
        "The new revision was never ready and restarted three times.",
        "The rollout is aborted: CanaryCrashed.",
        ("rollout.checks.safety.crashed",),
        edges=abort_edges(State.STARTING),
    ),
    Transition(
        "pods-discovered",
        "The route is live with the new revision at weight 0, and proxies have had `settleSeconds`"
        " to discover its pods.",
        "The step's weight is set, if the pods for it are ready.",
        ("rollout.checks.progress.priming",),
        edges=(Edge((State.PRIMING,), State.SHIFTING),),
    ),
    Transition(
        "route-not-accepted",
        "The route is not accepted; this is reported after 30 s.",
        "The weights stay; after 600 s the rollout is aborted: RouteNotAccepted.",
        (
            "rollout.checks.safety.route_past_deadline",
            "rollout.checks.progress.priming",
            "rollout.checks.progress.shifting",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.progress.scaling_up",
            "rollout.checks.progress.promoting",
        ),
        unchanged=AWAITING_ROUTE,
        edges=abort_edges(*AWAITING_ROUTE),
    ),
    Transition(
        "step-weight-set",
        "Both revisions have the ready pods that the step's weight needs.",
        "The route gets the step's weight, in one write.",
        ("rollout.checks.progress.shifting",),
        unchanged=(State.SHIFTING,),
    ),
    Transition(
        "step-lacks-pods",
        "One of the revisions lacks ready pods for the step's weight.",
        "The weight stays, and a raise that was never written is undone; `pods-past-deadline`"
        " applies.",
        ("rollout.checks.progress.shifting", "rollout.checks.progress.priming"),
        unchanged=(State.PRIMING, State.SHIFTING),
    ),
    Transition(
        "weight-by-replicas",
        "A canary with `expose.type: Service`: requests follow the numbers of pods.",
        "The entry Service selects the pods of both revisions. The stable revision gives up as"
        " many pods as ready ones of the canary replace, and `actualWeight` has the actual"
        " percentage.",
        ("rollout.sizing.traffic.replicas", "plan.desired.desired_children"),
        unchanged=in_order(states.STABLE_MAY_SHRINK),
    ),
    Transition(
        "step-weight-live",
        "The step's weight has been live for `settleSeconds`.",
        "The step's time runs from when the weight was live; the judge polls after"
        " `warmupSeconds`.",
        ("rollout.checks.progress.shifting",),
        edges=(Edge((State.SHIFTING,), State.ANALYSING),),
    ),
    Transition(
        "step-passed",
        "The verdict of this reconcile is Pass, and `minSeconds` are over; at weight 0 no"
        " verdict is needed.",
        "The next step starts; at most one per reconcile, however much time has elapsed.",
        ("rollout.checks.progress.analysing",),
        unchanged=(State.ANALYSING,),
        edges=(Edge((State.ANALYSING,), State.SHIFTING),),
    ),
    Transition(
        "verdict-abort",
        "The verdict is Abort.",
        "The rollout is aborted with the evidence: AnalysisFailed.",
        ("rollout.checks.safety.aborted_by_evidence",),
        edges=abort_edges(
            *in_order(states.IN_ROUTE - states.DECIDED - {State.PRIMING, State.BAKING})
        ),
    ),
    Transition(
        "step-inconclusive",
        "The step's `maxSeconds` are over without a verdict.",
        "The rollout waits for a user; with `onInconclusive: Abort` it is aborted: Inconclusive.",
        (
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.safety.inconclusive_for_too_long",
        ),
        unchanged=AWAITING_EVIDENCE,
        edges=abort_edges(*AWAITING_EVIDENCE),
    ),
    Transition(
        "no-requests",
        "The new revision got no request.",
        "The weights stay and the evidence is kept; with `onNoData: Abort` the rollout is aborted"
        " after `noDataTimeoutSeconds`: NoData.",
        (
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.safety.no_data_for_too_long",
        ),
        unchanged=AWAITING_EVIDENCE,
        edges=abort_edges(*JUDGED),
    ),
    Transition(
        "metrics-down",
        "Prometheus does not answer.",
        "The weights stay and the evidence is kept; with `onMetricsDown: Abort` the rollout is"
        " aborted after `metricsTimeoutSeconds`: MetricsDown.",
        (
            "rollout.checks.progress.analysing",
            "rollout.checks.progress.step_paused",
            "rollout.checks.pre_traffic.mirroring",
            "rollout.checks.pre_traffic.awaiting_promotion",
            "rollout.checks.safety.metrics_down_for_too_long",
        ),
        unchanged=AWAITING_EVIDENCE,
        edges=abort_edges(*JUDGED),
    ),
    Transition(
        "last-step-passed",
        "The last step has passed, and its pause, if any, is over.",
        "The new revision is scaled to full scale.",
        ("rollout.checks.progress.analysing", "rollout.checks.progress.step_paused"),
        edges=(Edge(in_order(states.AT_STEP_WEIGHT), State.SCALING_UP),),
    ),
    Transition(
        "full-scale-ready",
        "Nine tenths of full scale are ready; below ten pods, all of them.",
        "The route gives the new revision all requests, or all but `controlPercent`; the stable"
        " revision stays in the route with the rest.",
        ("rollout.checks.progress.scaling_up",),
        edges=(Edge((State.SCALING_UP,), State.PROMOTING),),
    ),
    Transition(
        "full-scale-awaited",
        "Full scale is not ready.",
        "The last step's weight stays; `pods-past-deadline` applies, unless the cluster lacks"
        " room.",
        ("rollout.checks.progress.scaling_up",),
        unchanged=(State.SCALING_UP,),
    ),
    Transition(
        "bake-started",
        "The weight for the bake has been live for `settleSeconds`.",
        "The bake's time runs from when its weight was live; the old revision is at full scale.",
        ("rollout.checks.progress.promoting",),
        edges=(Edge((State.PROMOTING,), State.BAKING),),
    ),
    Transition(
        "verdict-abort-in-bake",
        "In the bake the verdict is Abort.",
        "The rollout is aborted: the old revision is warm and gets all requests in one write.",
        ("rollout.checks.safety.aborted_by_evidence",),
        edges=abort_edges(State.BAKING),
    ),
    Transition(
        "bake-passed",
        "The bake's time is over, the judge has polled often enough, and the odds against the new"
        " revision are under 3:1.",
        "If there is a control share, the new revision gets it, and the commit waits until this"
        " weight has been live for `settleSeconds`. Commit: the new revision becomes stable, and"
        " the old one stays warm for `scaleDownDelaySeconds`.",
        ("rollout.checks.bake.baking",),
        unchanged=(State.BAKING,),
        edges=(Edge((State.BAKING,), State.DRAINING),),
    ),
    Transition(
        "bake-doubtful",
        "The bake's time is over, and the odds against the new revision are 3:1 or more.",
        "The bake continues until the odds are under 3:1, the verdict is Abort, or the command"
        " `promote-full-force` is given.",
        ("rollout.checks.bake.baking", "rollout.analysis_schedule.is_doubtful"),
        unchanged=(State.BAKING,),
    ),
    Transition(
        "old-revision-drained",
        "The old revision has been out of the route for `settleSeconds`.",
        "The rollout is over; the old revision is deleted when its warm time ends.",
        ("rollout.checks.abort.draining", "rollout.machine.record_observations"),
        unchanged=(State.DRAINING,),
        edges=(Edge((State.DRAINING,), None),),
    ),
    Transition(
        "preview-ready",
        "Blue-green's preview is ready.",
        "The rollout waits for `promote`; with `autoPromote` it goes on automatically.",
        ("rollout.checks.pre_traffic.awaiting_promotion",),
        unchanged=(State.AWAITING_PROMOTION,),
        edges=(Edge((State.AWAITING_PROMOTION,), State.SCALING_UP),),
    ),
    Transition(
        "raise-unwritten",
        "A raise was stored but never written (the operator was killed), and now the rollout is"
        " held or lacks pods.",
        "The raise is undone and decided again.",
        ("rollout.checks.hold.revert_unwritten_raise", "rollout.checks.progress.promoting"),
        unchanged=(State.SHIFTING,),
        edges=(Edge((State.PROMOTING,), State.SCALING_UP),),
    ),
    Transition(
        "step-pause",
        "A step with a `pause` has passed.",
        "Its weight stays and the analysis continues, for the pause's seconds or until `promote`.",
        ("rollout.checks.progress.analysing", "rollout.checks.progress.step_paused"),
        unchanged=(State.STEP_PAUSED,),
        edges=(Edge((State.ANALYSING,), State.STEP_PAUSED),),
    ),
    Transition(
        "step-pause-over",
        "A step's pause is over, and the verdict of this reconcile is Pass.",
        "The next step starts.",
        ("rollout.checks.progress.step_paused",),
        edges=(Edge((State.STEP_PAUSED,), State.SHIFTING),),
    ),
    Transition(
        "mirror-started",
        "Proxies have had time to discover the new revision's pods, and `canary.mirror` is set.",
        "Requests are mirrored to the new revision, and its responses are discarded; `StepStarted`"
        " is still to come.",
        ("rollout.checks.progress.priming",),
        edges=(Edge((State.PRIMING,), State.MIRRORING),),
    ),
    Transition(
        "mirror-awaits-verdict",
        "The mirror's `minSeconds` are not over, or the verdict is not Pass.",
        "The mirror continues; `step-inconclusive`, `no-requests` and `metrics-down` apply.",
        ("rollout.checks.pre_traffic.mirroring",),
        unchanged=(State.MIRRORING,),
    ),
    Transition(
        "mirror-passed",
        "The verdict on the mirrored requests is Pass, or the command `promote` is given.",
        "The mirror ends and the first step starts, with a new analysis.",
        ("rollout.checks.pre_traffic.mirroring", "rollout.checks.pre_traffic.promoted_early"),
        edges=(Edge((State.MIRRORING,), State.SHIFTING),),
    ),
    Transition(
        "mirror-rejected",
        "A gateway rejects the route while the route mirrors requests.",
        "The rollout is aborted: RouteNotAccepted. The route is as it was before.",
        ("rollout.checks.safety.mirror_rejected",),
        edges=abort_edges(State.MIRRORING, State.AWAITING_PROMOTION),
    ),
    Transition(
        "preview-passed",
        "`blueGreen.previewAnalysis` is set, and the verdict on the preview is Pass.",
        "With `autoPromote` the rollout switches; otherwise the verdict is reported to the user,"
        " who commands `promote`.",
        ("rollout.checks.pre_traffic.awaiting_promotion",),
        unchanged=(State.AWAITING_PROMOTION,),
        edges=(Edge((State.AWAITING_PROMOTION,), State.SCALING_UP),),
    ),
)
