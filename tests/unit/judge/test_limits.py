from math import log

import pytest

from halimede.api.rollout import Analysis, MetricsProvider, Pace
from halimede.judge.limits import levels, limits


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
    """From 1 % to 5 % at the last step, doubled for each before it, up to 10 %."""
    assert levels(Analysis(), steps, rate, 0.05) == expected


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        (Pace.CAUTIOUS, (0.03375, 0.0225, 0.015)),
        (Pace.SWIFT, (0.135, 0.045, 0.015)),
    ],
)
def test_the_pace_is_how_steeply_it_tightens(pace: Pace, expected: tuple[float, ...]) -> None:
    """All paces end in the same demand."""
    assert levels(Analysis(pace=pace), 3, 0.005, 0.05) == expected


def test_a_user_who_tolerates_much_is_not_asked_for_more_at_the_first_step() -> None:
    """No step demands more than the last."""
    loose = Analysis(max_error_percent="20")
    assert levels(loose, 3, None, 0.2) == (0.2, 0.2, 0.2)


def test_the_ceiling_bounds_the_floor() -> None:
    """A user who wants at most 0.5 % gets a certificate for 0.5 %."""
    assert levels(Analysis(), 2, 0.0, 0.005) == (0.01, 0.005)


def test_alpha_is_shared_by_the_sources() -> None:
    """Two sources with three tests each: 600 to 1 stops; one source: 300 to 1."""
    alone = limits(Analysis(provider=MetricsProvider.NONE))
    assert limits(Analysis()).stop == pytest.approx(log(600), abs=1e-4)
    assert alone.stop == pytest.approx(log(300), abs=1e-4)


@pytest.mark.parametrize(("given", "ceiling"), [("0", 0.0001), ("5", 0.05), ("100", 0.95)])
def test_impossible_ceilings_are_taken_as_the_nearest_possible(given: str, ceiling: float) -> None:
    """A test needs room above the ceiling, and a ceiling above zero."""
    assert limits(Analysis(max_error_percent=given)).ceiling == ceiling
