"""The strategy Recreate, where one revision stops before the other starts."""

from halimede.api.status import State
from halimede.rollout import states
from tools.transitions.row import Edge, Transition, abort_edges, in_order

UNROUTED = in_order(states.UNROUTED)
ALL_TRAFFIC = in_order(states.ALL_TRAFFIC)

RECREATE = (
    Transition(
        "recreate-started",
        "Recreate: the spec asks for another revision, or for a third one during the rollout.",
        "The old revision is scaled to zero and stays in the route. Warm revisions are deleted.",
        ("rollout.checks.start.begin", "rollout.checks.recreate.superseded"),
        unchanged=(State.STOPPING,),
        edges=(
            Edge((None, State.STARTING, *ALL_TRAFFIC), State.STOPPING),
            *abort_edges(*UNROUTED, *ALL_TRAFFIC),
        ),
    ),
    Transition(
        "recreate-old-pods-ended",
        "Recreate: the old revision's pods have ended.",
        "All pods of the new revision start.",
        ("rollout.checks.recreate.stopping",),
        unchanged=(State.STOPPING,),
        edges=(Edge((State.STOPPING,), State.STARTING),),
    ),
    Transition(
        "recreate-full-scale-ready",
        "Recreate: full scale is ready.",
        "The route gives the new revision all requests; then `bake-started` applies.",
        ("rollout.checks.recreate.starting", "rollout.checks.progress.promoting"),
        unchanged=(State.STARTING,),
        edges=(
            Edge((State.STARTING,), State.PROMOTING),
            Edge((State.PROMOTING,), State.STARTING),
        ),
    ),
    Transition(
        "recreate-past-deadline",
        "Recreate: pods have not ended, or not become ready, within `progressDeadlineSeconds`,"
        " whatever the cause.",
        "The rollout is aborted: ProgressDeadlineExceeded, or CanaryRejected as in"
        " `pods-past-deadline`.",
        ("rollout.checks.recreate.past_deadline", "rollout.checks.safety.rejected"),
        edges=abort_edges(*UNROUTED),
    ),
    Transition(
        "recreate-lost-pods",
        "Recreate: the new revision has all traffic and no ready pod.",
        "There is no commit, and a switch that was stored but never written (the operator was"
        " killed) is undone; after 60 s the rollout is aborted: CanaryUnhealthy.",
        (
            "rollout.checks.recreate.track_readiness",
            "rollout.checks.recreate.lost_its_pods",
            "rollout.checks.safety.stayed_unready",
        ),
        unchanged=ALL_TRAFFIC,
        edges=(*abort_edges(*ALL_TRAFFIC), Edge((State.PROMOTING,), State.STARTING)),
    ),
    Transition(
        "recreate-abort-drained",
        "Recreate: the rollout is aborted, and the old revision's pods are ready again, or another"
        " revision is asked for.",
        "The rollout is over.",
        ("rollout.checks.recreate.abort_draining",),
        unchanged=(State.ABORT_DRAINING,),
        edges=(Edge((State.ABORT_DRAINING,), None),),
    ),
    Transition(
        "recreate-hold",
        "Recreate: a pause, or a route that cannot be used or is in conflict.",
        "The rollout is held before the old revision stops and in the bake, but not in between,"
        " which would prolong the outage.",
        ("rollout.checks.recreate.paused", "rollout.checks.recreate.pause_forgotten"),
        unchanged=(State.STOPPING, State.BAKING),
        edges=abort_edges(State.STOPPING, State.BAKING),
    ),
)
