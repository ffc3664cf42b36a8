"""The leader can be killed at any point of a rollout: the other replica takes over."""

from halimede.api.status import Outcome, State
from harness.watch import Snapshot
from tests.e2e.faults.kill_points import ABORT, PROMOTION, RECREATION
from tests.e2e.faults.killable_operator import KillableOperator
from tests.e2e.user import CROWD, User
from tests.support.waiting import WITHIN

MANY_KILLS_WITHIN = 900.0
"""Timeout in seconds of a wait with many kills, on a loaded machine."""
PATIENT = {"rollout__progressDeadlineSeconds": 300}
"""A longer deadline, because pods may lack objects while no replica leads."""


def test_another_replica_takes_over_in_each_state_of_a_promotion(
    operator: KillableOperator, user: User
) -> None:
    """Given v1 under load, when the leader is killed at each point, v2 is promoted all the same.

    Each time the API server has executed the write, and the leader has no response. The step's
    pause is ended by a command, which the other replica finds.
    """
    user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many(), operator.loses_its_leader(*PROMOTION):
        user.asks_for(
            "v2",
            rollout__canary__mirror={"minSeconds": 2},
            rollout__canary__steps=[{"weight": 25, "minSeconds": 2, "pause": {}}],
            **PATIENT,
        )
        canary = _sees(user, State.STEP_PAUSED, MANY_KILLS_WITHIN).target
        user.commands("promote")
        over = user.sees(
            "v2 stable",
            lambda seen: seen.ready and seen.settled,
            within=MANY_KILLS_WITHIN,
        )
    assert (canary, [Outcome.PROMOTED]) == (over.stable, user.outcomes())


def test_another_replica_takes_over_in_each_state_of_an_abort(
    operator: KillableOperator, user: User
) -> None:
    """Given v1 under load, when the leader is killed at each point, v3 is aborted all the same.

    v3 waits in the preview, gets all requests by a command, and fails on some of them.
    """
    stable = user.serves("v1")
    user.starts_load(CROWD)
    with user.serves_many() as blamed, operator.loses_its_leader(*ABORT):
        user.asks_for(
            "v3",
            rollout__strategy="BlueGreen",
            rollout__blueGreen={"bakeSeconds": 600},
            **PATIENT,
        )
        blamed.add(_sees(user, State.AWAITING_PROMOTION).target)
        user.commands("promote")
        over = user.sees("v3's end", lambda seen: seen.settled)
    assert (stable, [Outcome.ABORTED]) == (over.stable, user.outcomes())


def test_another_replica_takes_over_while_the_old_revision_stops(
    operator: KillableOperator, user: User
) -> None:
    """Given Recreate, when the leader is killed in Stopping, v2 is promoted all the same.

    Requests fail only in the outage that Recreate has: from the stop of v1 until v2 is stable.
    """
    user.serves("v1")
    user.starts_load(CROWD)
    with operator.loses_its_leader(*RECREATION):
        user.asks_for(
            "v2", rollout__strategy="Recreate", rollout__recreate={"bakeSeconds": 0}, **PATIENT
        )
        stopping = _sees(user, State.STOPPING)
        draining = _sees(user, State.DRAINING)
        over = user.sees("v2 stable", lambda seen: seen.ready and seen.settled)
    user.waits_for_requests(200)
    outside = [one for one in user.errors() if not stopping.at < one.at < draining.at]
    assert (over.target, [Outcome.PROMOTED]) == (over.stable, user.outcomes())
    assert outside == []


def _sees(user: User, state: State, within: float = WITHIN) -> Snapshot:
    return user.sees(
        state,
        lambda seen: seen.status.rollout is not None and seen.status.rollout.state is state,
        within,
    )
