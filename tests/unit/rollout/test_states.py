"""The table of states is complete, and the checks that are chosen by state agree with it."""

import pytest

from halimede.api.status import State
from halimede.rollout import machine, states
from halimede.rollout.checks.progress import FINAL_CHECKS
from halimede.rollout.states import TRAITS


def test_table_has_every_state_in_order() -> None:
    """Each state has one row."""
    assert list(TRAITS) == list(State)


def test_every_undecided_state_has_a_check_that_advances() -> None:
    """Recreate's own states have theirs in another table."""
    assert machine.ADVANCES.keys() == states.UNDECIDED


def test_every_decided_state_has_a_check_that_nothing_holds() -> None:
    """A decided rollout only drains."""
    assert machine.RETREATS.keys() == states.DECIDED


def test_every_final_state_has_a_check_for_the_forced_promotion() -> None:
    """`promote-full-force` runs it."""
    assert FINAL_CHECKS.keys() == states.FINAL


def test_promotion_skips_or_shortens_every_undecided_state_that_has_pods() -> None:
    """Recreate's outage is neither skipped nor shortened."""
    assert states.SKIPPABLE.isdisjoint(states.FINAL)
    assert states.SKIPPABLE | states.FINAL | {State.STOPPING} == states.UNDECIDED


@pytest.mark.parametrize("state", State)
def test_what_gets_requests_is_in_the_route(state: State) -> None:
    """No trait that presupposes the route is true of a state outside it."""
    traits = TRAITS[state]
    routed = (
        traits.pre_traffic,
        traits.user_traffic,
        traits.header_routed,
        traits.previewed,
        traits.at_step_weight,
        traits.all_traffic,
        traits.awaits_route,
    )
    assert traits.in_route or not any(routed)


@pytest.mark.parametrize("state", State)
def test_narrow_traits_imply_wider_ones(state: State) -> None:
    """A state with the narrower trait has the wider one, too."""
    traits = TRAITS[state]
    assert traits.stepping or not traits.at_step_weight
    assert traits.sized_for_step or not traits.stepping
    assert traits.header_routed or not traits.user_traffic
    assert traits.user_traffic or not traits.all_traffic
    assert traits.decided or not traits.going_back
