"""Two leaders at once: one is suspended in a rollout and continues after another has led."""

from halimede.api.status import Outcome, State
from harness.watch import Snapshot
from tests.e2e.faults.kill_points import stored, suspended
from tests.e2e.faults.killable_operator import KillableOperator
from tests.e2e.user import CROWD, User
from tests.support.waiting import wait_until

QUARTER = {
    "rollout__canary__steps": [{"weight": 25, "minSeconds": 600, "maxSeconds": 600}],
    "rollout__progressDeadlineSeconds": 300,
}
"""A canary that stays at 25 %."""


def test_a_leader_that_was_suspended_sends_no_write_of_its_old_plan(
    operator: KillableOperator, user: User
) -> None:
    """Given a leader that is suspended between an intent and its effect, it sends no effect.

    It has stored a weight of 25 % and has still to write the route. The other replica does so, and
    takes the weight back when the user does: the old effect would lead requests to pods that end.
    """
    user.serves("v1")
    user.starts_load(CROWD)
    point = suspended(stored(State.SHIFTING))
    with user.serves_many(), operator.loses_its_leader(point):
        user.asks_for("v2", **QUARTER)
        user.sees("25 % by the other replica", lambda seen: _state(seen) is State.ANALYSING)
        (old,) = [replica for replica in operator.replicas if replica.suspended]
        user.asks_for("v1", **QUARTER)
        user.sees("the way back", lambda seen: _state(seen) is State.ABORT_DRAINING)
        sent = len(old.sent)
        old.resume()
        wait_until(lambda: old.said("Lost the lease"), explain=old.log.read_text)
        user.sees("the end", lambda seen: seen.settled)
    assert user.outcomes() == [Outcome.REVERTED]
    assert old.sent[sent:] == []


def _state(seen: Snapshot) -> State | None:
    return seen.status.rollout.state if seen.status.rollout else None
