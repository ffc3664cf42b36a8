from math import exp, log

import pytest

from halimede.api.analysis import Analysis, MetricsProvider, Pace
from halimede.judge.thresholds import Limits, levels, limits, lowest


@pytest.mark.parametrize(
    ("steps", "rate", "expected"),
    [
        (3, 0.005, (0.06, 0.03, 0.015)),
        (4, 0.005, (0.1, 0.06, 0.03, 0.015)),
        (3, 0.0, (0.04, 0.02, 0.01)),
        (3, 0.3, (0.1, 0.1, 0.05)),
        (3, None, (0.1, 0.1, 0.05)),
        (1, 0.005, (0.015,)),
    ],
)
def test_the_demand_tightens_towards_three_times_stable(
    steps: int, rate: float | None, expected: tuple[float, ...]
) -> None:
    """The last level is 1 % to 5 %; it doubles for each earlier step, up to 10 %."""
    assert levels(Analysis(), steps, rate, 0.05) == expected


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        (Pace.CAUTIOUS, (0.03375, 0.0225, 0.015)),
        (Pace.SWIFT, (0.135, 0.045, 0.015)),
    ],
)
def test_the_pace_is_how_steeply_it_tightens(pace: Pace, expected: tuple[float, ...]) -> None:
    """All paces end in the same level."""
    assert levels(Analysis(pace=pace), 3, 0.005, 0.05) == expected


def test_a_user_who_tolerates_much_is_not_asked_for_more_at_the_first_step() -> None:
    """No step has a stricter level than the last."""
    loose = Analysis(max_error_percent="20")
    assert levels(loose, 3, None, 0.2) == (0.2, 0.2, 0.2)


def test_the_ceiling_bounds_the_floor() -> None:
    """A user who wants at most 0.5 % gets a certificate for 0.5 %."""
    assert levels(Analysis(), 2, 0.0, 0.005) == (0.01, 0.005)


BOTH, ALONE = limits(Analysis()), limits(Analysis(provider=MetricsProvider.NONE))


def test_the_tests_of_all_sources_share_one_alpha() -> None:
    """The mean of their odds must be 100 to 1, whether there are three of them or six."""
    assert (BOTH.tests, ALONE.tests) == (6, 3)
    for bounds in (BOTH, ALONE):
        assert bounds.stop == pytest.approx(log(100), abs=1e-4)
        assert bounds.stop < log(100)


@pytest.mark.parametrize("bounds", [BOTH, ALONE])
def test_three_polls_stop_and_two_do_not(bounds: Limits) -> None:
    """This holds for one test alone and for all tests together."""
    assert 3 * bounds.cap - log(bounds.tests) >= bounds.stop
    assert 2 * bounds.cap < bounds.stop


def test_a_bet_that_was_lost_for_hours_can_be_won_in_minutes() -> None:
    """The floor is 1/1000 for the first hundred polls, and sinks later."""
    assert lowest(0) == lowest(100) == pytest.approx(-log(1000))
    assert lowest(1000) == pytest.approx(-log(10_000))
    stake = 1 + sum(exp(lowest(polls)) for polls in range(40_000))
    assert stake < 1.8


@pytest.mark.parametrize(("given", "ceiling"), [("0", 0.0001), ("5", 0.05), ("100", 0.95)])
def test_impossible_ceilings_are_taken_as_the_nearest_possible(given: str, ceiling: float) -> None:
    """A test needs room above the ceiling, and a ceiling above zero."""
    assert limits(Analysis(max_error_percent=given)).ceiling == ceiling
