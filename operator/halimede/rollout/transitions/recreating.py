"""Rows 81 to 86: the strategy Recreate, where one revision stops before the other starts."""

from halimede.api.status import State
from halimede.rollout.transitions.row import Transition, Way, given_up

OUT = (State.STOPPING, State.STARTING)
ALL_TRAFFIC = (State.PROMOTING, State.BAKING)

RECREATING = (
    Transition(
        81,
        "Recreate: the spec asks for another revision, or for a third one on the way.",
        "The old revision is scaled to zero; the route stays with it. What is warm goes too.",
        ("rollout.idle.begin", "rollout.recreate.superseded"),
        held=(State.STOPPING,),
        ways=(
            Way((None, State.STARTING, *ALL_TRAFFIC), State.STOPPING),
            *given_up(*OUT, *ALL_TRAFFIC),
        ),
    ),
    Transition(
        82,
        "Recreate: the old revision's pods have ended.",
        "The new revision's pods start, all of them.",
        ("rollout.recreate.stopping",),
        held=(State.STOPPING,),
        ways=(Way((State.STOPPING,), State.STARTING),),
    ),
    Transition(
        83,
        "Recreate: full scale is ready.",
        "The route gives the new revision everything; then row 39.",
        ("rollout.recreate.starting", "rollout.advance.promoting"),
        held=(State.STARTING,),
        ways=(
            Way((State.STARTING,), State.PROMOTING),
            Way((State.PROMOTING,), State.STARTING),
        ),
    ),
    Transition(
        84,
        "Recreate: pods have not ended or are not ready since `progressDeadlineSeconds`, for"
        " whatever cause.",
        "It is given up: ProgressDeadlineExceeded, or CanaryRefused as in row 12.",
        ("rollout.recreate.past_deadline", "rollout.safety.refused"),
        ways=given_up(*OUT),
    ),
    Transition(
        85,
        "Recreate: with all traffic it has no ready pod.",
        "Nothing is committed, and a switch that was stored but never written (a kill) is taken"
        " back; after 60 s it is given up: CanaryUnhealthy.",
        (
            "rollout.recreate.noted",
            "rollout.recreate.lost_its_pods",
            "rollout.safety.stayed_unready",
        ),
        held=ALL_TRAFFIC,
        ways=(*given_up(*ALL_TRAFFIC), Way((State.PROMOTING,), State.STARTING)),
    ),
    Transition(
        86,
        "Recreate: it is given up, and the old revision's pods are ready again, or something else"
        " is asked for.",
        "The rollout is over.",
        ("rollout.recreate.abort_draining",),
        held=(State.ABORT_DRAINING,),
        ways=(Way((State.ABORT_DRAINING,), None),),
    ),
    Transition(
        87,
        "Recreate: a pause, or a route that cannot be used or is fought for.",
        "It holds before the old revision stops, and in the bake; in between it would prolong the"
        " outage.",
        ("rollout.recreate.paused", "rollout.recreate.pause_forgotten"),
        held=(State.STOPPING, State.BAKING),
        ways=given_up(State.STOPPING, State.BAKING),
    ),
)
