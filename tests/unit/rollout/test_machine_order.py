"""The order of the checks is the policy, so a test repeats it."""

import pytest

from halimede.api.status import State
from halimede.rollout.machine import ADVANCES, CHECKS, IDLE, RETREATS


def test_order_of_checks_of_a_rollout() -> None:
    """Aborts come first, then checks that take traffic away, then holds, then raises."""
    assert [check.__name__ for check in CHECKS] == [
        "going_back",
        "aborted_by_command",
        "pause_forgotten",
        "aborted_by_evidence",
        "reverted",
        "superseded",
        "record_invalid",
        "lost_all_traffic_pods",
        "lost_its_pods",
        "stayed_unready",
        "control_lost",
        "stable_is_down",
        "stable_is_back",
        "reduce_to_ready_pods",
        "crashed",
        "past_deadline",
        "mirror_rejected",
        "route_past_deadline",
        "no_data_for_too_long",
        "metrics_down_for_too_long",
        "inconclusive_for_too_long",
        "revert_unwritten_raise",
        "spec_invalid",
        "scaled_to_zero",
        "paused",
        "route_blocked",
        "route_conflict",
        "yield_stable_pod",
        "promoted_early",
        "promote_commanded",
        "promote_full_commanded",
        "promote_full_force_commanded",
        "advancing",
    ]


def test_order_of_checks_without_a_rollout() -> None:
    """The stable revision is checked first; a rollout starts only if no check prevents it."""
    assert [check.__name__ for check in IDLE] == [
        "serves_already",
        "first_deployment",
        "spec_invalid",
        "source_unresolved",
        "record_invalid",
        "nothing_is_to_serve",
        "failed_before",
        "begin",
    ]


@pytest.mark.parametrize("state", State)
def test_every_state_goes_on(state: State) -> None:
    """Each state has its next step in exactly one table."""
    assert (state in ADVANCES) is (state not in RETREATS)
