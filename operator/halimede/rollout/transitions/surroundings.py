"""Rows 49 to 53: what others do to the cluster, to the object and to the clock."""

from halimede.rollout.transitions.row import ANYWHERE, Transition

SURROUNDINGS = (
    Transition(
        49,
        "Somebody else changes the weights in the route.",
        "They are set back and it is counted. Five times within ten minutes hold a rollout until"
        " ten minutes are quiet; safety goes on. Ready says RouteConflict and names who it is.",
        (
            "rollout.conflict.noted",
            "rollout.holding.route_conflict",
            "reconcile.status.ready",
            "reconcile.wanted.work",
            "reconcile.user_routes.errand",
        ),
        held=ANYWHERE,
    ),
    Transition(
        50,
        "Somebody deletes the route.",
        "It is made anew with the present weights. A route of the user's holds a rollout until it"
        " is there again and names the entry Service; then the clocks start anew.",
        (
            "reconcile.wanted.work",
            "reconcile.user_routes.joined",
            "rollout.conflict.blocked",
            "rollout.holding.route_blocked",
        ),
        held=ANYWHERE,
    ),
    Transition(
        51,
        "The object is deleted.",
        "The garbage collector takes its children: nothing is awaited, nothing is written. Only a"
        " route of the user's is given back before, and proxies get `settleSeconds` to follow;"
        " after 300 s the object goes whether that was possible or not.",
        ("reconcile.loop.Reconciler.reconcile", "reconcile.farewell.farewell"),
        held=ANYWHERE,
    ),
    Transition(
        52,
        "A child cannot be applied.",
        "The others are; it is tried again ever more rarely, Ready is False with the API server's"
        " words, and deadlines still run.",
        ("reconcile.carry_out.carry_out", "reconcile.status.ready"),
        held=ANYWHERE,
    ),
    Transition(
        53,
        "The clock is set back.",
        "No time has gone by: nothing happens early, and nothing is lost.",
        ("rollout.scene.Scene.elapsed", "rollout.evidence.is_due"),
        held=ANYWHERE,
    ),
)
