"""How long a good revision takes at 20 requests/s, in simulated time."""

from functools import cache
from statistics import median

import pytest

from bench.time_to_done import ERRORS, Duration, measure_all
from halimede.api.analysis import Pace

ROLLOUTS = 10


@cache
def durations(pace: Pace, errors: float) -> list[Duration]:
    """Measure good revisions from fixed seeds."""
    return measure_all(pace, errors, ROLLOUTS)


@pytest.mark.parametrize(
    ("pace", "errors", "all_traffic", "committed"),
    [
        (Pace.BALANCED, 0.0, 290, 605),
        (Pace.BALANCED, ERRORS, 350, 665),
        (Pace.SWIFT, 0.0, 190, 265),
        (Pace.SWIFT, ERRORS, 225, 300),
    ],
)
def test_a_good_revision_is_promoted_in_time(
    pace: Pace, errors: float, all_traffic: int, committed: int
) -> None:
    """Half of them get all requests, and are committed, within these seconds from ready pods."""
    measured = durations(pace, errors)
    assert median(one.all_traffic for one in measured) <= all_traffic
    assert median(one.committed for one in measured) <= committed
