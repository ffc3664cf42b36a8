"""How often the rule errs and how soon it finds, over thousands of simulated rollouts.

Seeds are fixed; `python -m bench.judge_characteristics` prints the whole table with more repeats.
"""

from statistics import median

import pytest

from halimede.api.rollout import Analysis, Step
from halimede.judge.simulation import Plan, Result, Traffic, runs
from halimede.judge.verdict import Verdict

HOUR = Plan((Step(weight=10, max_seconds=3600),), promotes=False)
HALF_HOUR = Plan((Step(weight=10),), promotes=False)
STEPS = Plan(tuple(Step(weight=weight) for weight in (5, 10, 25, 50)))


def part(results: list[Result], verdict: Verdict) -> float:
    """Say which part of the rollouts ended so."""
    return sum(result.verdict is verdict for result in results) / len(results)


def middle(results: list[Result]) -> float:
    """Say after how many seconds half of those that were decided were so."""
    return median(one.seconds for one in results if one.verdict in {Verdict.ABORT, Verdict.PASS})


@pytest.mark.parametrize("per_second", [1.0, 10.0])
@pytest.mark.parametrize("rate", [0.0005, 0.005, 0.049])
@pytest.mark.parametrize("cluster", [1.0, 3.0])
def test_an_equal_is_hardly_ever_stopped(per_second: float, rate: float, cluster: float) -> None:
    """In an hour with 240 looks, errors single or in threes: 1 % at most."""
    results = list(runs(HOUR, Traffic(per_second, rate, rate, cluster), 50))
    assert part(results, Verdict.ABORT) <= 0.01


@pytest.mark.parametrize(("per_second", "seconds"), [(5.0, 400.0), (20.0, 165.0)])
def test_ten_times_the_errors_are_found(per_second: float, seconds: float) -> None:
    """5 % against 0.5 %, one request in ten on the canary."""
    results = list(runs(HALF_HOUR, Traffic(per_second, 0.005, 0.05), 100))
    assert part(results, Verdict.ABORT) >= 0.99
    assert middle(results) <= seconds


def test_a_revision_that_only_fails_is_found_in_three_polls() -> None:
    """Warm-up and three looks; the cap forbids less."""
    results = list(runs(HALF_HOUR, Traffic(5.0, 0.005, 1.0), 50))
    assert part(results, Verdict.ABORT) == 1.0
    assert min(one.seconds for one in results) >= 75.0
    assert middle(results) <= 105.0


def test_an_outage_of_both_stops_nothing() -> None:
    """A third of all requests fail on both for two minutes."""
    results = list(runs(HALF_HOUR, Traffic(20.0, 0.005, 0.005, outage=(300.0, 420.0)), 50))
    assert part(results, Verdict.ABORT) == 0.0


@pytest.mark.parametrize(
    ("per_second", "promoted", "seconds"), [(2.0, 0.93, 1800.0), (10.0, 0.99, 500.0)]
)
def test_a_good_revision_is_promoted(per_second: float, promoted: float, seconds: float) -> None:
    """Also where there is little traffic, for the first steps ask for less."""
    results = list(runs(STEPS, Traffic(per_second, 0.005, 0.005), 120))
    assert part(results, Verdict.PASS) >= promoted
    assert part(results, Verdict.ABORT) <= 0.01
    assert middle(results) <= seconds


@pytest.mark.parametrize(("per_second", "most"), [(2.0, 0.025), (10.0, 0.005)])
def test_four_times_the_errors_are_not_promoted(per_second: float, most: float) -> None:
    """2 % against 0.5 %: under `maxErrorPercent`, and yet four times worse."""
    results = list(runs(STEPS, Traffic(per_second, 0.005, 0.02), 120))
    assert part(results, Verdict.PASS) <= most


def test_without_requests_nothing_is_decided() -> None:
    """It is held, and nobody claims to know."""
    results = list(runs(STEPS, Traffic(0.0, 0.005, 0.005), 1))
    assert [one.verdict for one in results] == [Verdict.NO_DATA]


def test_a_stricter_ceiling_is_kept() -> None:
    """With `maxErrorPercent` 1 a canary at 2 % is not promoted, whatever stable does."""
    strict = Plan(STEPS.steps, Analysis(max_error_percent="1"))
    results = list(runs(strict, Traffic(10.0, 0.02, 0.02), 40))
    assert part(results, Verdict.PASS) == 0.0
