"""Rows 49 to 53: what others do to the cluster, to the object and to the clock."""

from tools.transitions.row import ANYWHERE, Transition

ENVIRONMENT = (
    Transition(
        49,
        "Somebody else changes the weights in the route.",
        "They are set back and it is counted. Five times within ten minutes hold a rollout until"
        " ten minutes are quiet; safety goes on. Ready says RouteConflict and names who it is.",
        (
            "rollout.route_conflict.record_write",
            "rollout.checks.hold.route_conflict",
            "plan.conditions.ready_state",
            "plan.desired.diff_children",
            "plan.user_routes.plan_route_changes",
        ),
        held=ANYWHERE,
    ),
    Transition(
        50,
        "Somebody deletes the route.",
        "It is made anew with the present weights. A route of the user's holds a rollout until it"
        " is there again and names the entry Service; then the clocks start anew.",
        (
            "plan.desired.diff_children",
            "plan.user_routes.merge_route_status",
            "rollout.route_conflict.track_blocked",
            "rollout.checks.hold.route_blocked",
        ),
        held=ANYWHERE,
    ),
    Transition(
        51,
        "The object is deleted.",
        "The garbage collector takes its children: nothing is awaited, nothing is written. Only a"
        " route of the user's is given back before, and proxies get `settleSeconds` to follow;"
        " after 300 s the object goes whether that was possible or not.",
        ("reconcile.reconciler.Reconciler.reconcile", "plan.finalize.plan_deletion"),
        held=ANYWHERE,
    ),
    Transition(
        52,
        "A child cannot be applied.",
        "The others are; it is tried again ever more rarely, Ready is False with the API server's"
        " words, and deadlines still run.",
        ("reconcile.execute.execute_plan", "plan.conditions.ready_state"),
        held=ANYWHERE,
    ),
    Transition(
        53,
        "The clock is set back.",
        "No time has gone by: nothing happens early, and nothing is lost.",
        ("rollout.context.RolloutContext.elapsed", "rollout.analysis_schedule.is_due"),
        held=ANYWHERE,
    ),
)
