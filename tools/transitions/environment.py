"""Changes of the cluster, of the object and of the clock from outside."""

from tools.transitions.row import ANYWHERE, Transition

ENVIRONMENT = (
    Transition(
        "foreign-write",
        "Another field manager changes the weights in the route.",
        "The weights are set back, and the write is counted. Five writes within ten minutes hold a"
        " rollout until there has been none for ten minutes; safety checks go on. Ready has the"
        " reason RouteConflict and names the field manager.",
        (
            "rollout.route_conflict.record_write",
            "rollout.checks.hold.route_conflict",
            "plan.conditions.ready_state",
            "plan.desired.diff_children",
            "plan.user_routes.plan_route_changes",
        ),
        unchanged=ANYWHERE,
    ),
    Transition(
        "route-deleted",
        "The route is deleted.",
        "It is created again with the current weights. If the route belongs to the user, a rollout"
        " is held until the route exists again and names the entry Service; then the clocks"
        " restart.",
        (
            "plan.desired.diff_children",
            "plan.user_routes.merge_route_status",
            "rollout.route_conflict.track_blocked",
            "rollout.checks.hold.route_blocked",
        ),
        unchanged=ANYWHERE,
    ),
    Transition(
        "object-deleted",
        "The object is deleted.",
        "The garbage collector deletes its children: nothing is awaited, nothing is written."
        " Only a route that belongs to the user is restored first, and proxies get"
        " `settleSeconds` to follow; after 300 s the object is deleted whether that was possible"
        " or not.",
        ("reconcile.reconciler.Reconciler.reconcile", "plan.finalize.plan_deletion"),
        unchanged=ANYWHERE,
    ),
    Transition(
        "apply-failed",
        "A child cannot be applied.",
        "The other children are applied. The child is retried with back-off, Ready is False with"
        " the API server's message, and deadlines still run.",
        ("reconcile.execute.execute_plan", "plan.conditions.ready_state"),
        unchanged=ANYWHERE,
    ),
    Transition(
        "name-taken",
        "A foreign object has the name of a child.",
        "The object is not changed, and nothing is written that would lead requests to it or use"
        " it; the other children are. If the route or a revision needs the name, a rollout is"
        " held; safety checks go on. Ready is False and says whose the object is. When it is gone,"
        " the child is created, and the clocks restart.",
        (
            "reconcile.execute.execute_plan",
            "plan.write_order.split_by_names",
            "plan.write_errors.route_with_taken_names",
            "rollout.route_conflict.track_blocked",
            "rollout.checks.hold.route_blocked",
            "plan.conditions.ready_state",
        ),
        unchanged=ANYWHERE,
    ),
    Transition(
        "clock-set-back",
        "The clock is set back.",
        "No time counts as elapsed: nothing happens early, and nothing is lost.",
        ("rollout.context.RolloutContext.elapsed", "rollout.analysis_schedule.is_due"),
        unchanged=ANYWHERE,
    ),
)
