"""The tests that kill the leader leave out no state of a rollout."""

import pytest

from halimede.api.status import State
from tests.e2e.faults.kill_points import KILL_POINTS


@pytest.mark.parametrize("state", State)
def test_the_leader_is_killed_in_each_state(state: State) -> None:
    """Given a state, one kill point is the write that stores it."""
    assert state in {point.state for point in KILL_POINTS}
