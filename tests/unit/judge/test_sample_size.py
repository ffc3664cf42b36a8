"""The number of requests that a step still needs agrees with the judge."""

import pytest

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.rollout import Step
from halimede.api.sources import Source
from halimede.api.status import SourceEvidence
from halimede.forecast.simulation import MADE_UP, EvenTraffic, Plan, run
from halimede.judge.counts import WindowCounts
from halimede.judge.evidence import initial_evidence, update_evidence
from halimede.judge.reading import Counts
from halimede.judge.sample_size import StepTest, requests_to_certify, requests_to_pass
from halimede.judge.thresholds import limits

LEVELS = (0.06, 0.03, 0.015)
ANALYSIS = Analysis()
BOUNDS = limits(ANALYSIS)
NOTHING = initial_evidence(Source.ROUTER, BOUNDS, LEVELS, 0.0)


def exam(evidence: SourceEvidence = NOTHING, step: int = 0) -> StepTest:
    """Return the input for one of three steps with this evidence."""
    return StepTest(evidence, LEVELS, step, ANALYSIS, MADE_UP)


def after(canary: Counts, stable: Counts) -> SourceEvidence:
    """Return the evidence after four polls of these counts."""
    evidence = NOTHING
    for now in (15.0, 30.0, 45.0, 60.0):
        evidence = update_evidence(
            evidence, WindowCounts(canary, stable, now, now, 15.0), BOUNDS, LEVELS, tolerated=3.0
        )
    return evidence


@pytest.mark.parametrize("rate", [1.0, 3.0, 10.0])
def test_clean_requests_are_what_the_judge_waits_for(rate: float) -> None:
    """With clean traffic the step passes in the first poll with that many requests."""
    plan = Plan((Step(weight=50, min_seconds=0, max_seconds=36000),))
    passed = run(plan, EvenTraffic(rate, 0.0, 0.0), 0)
    nothing = initial_evidence(Source.ROUTER, BOUNDS, passed.levels, 0.0)
    needed = requests_to_pass(StepTest(nothing, passed.levels, 0, ANALYSIS, MADE_UP))
    assert needed is not None
    assert passed.verdict is Verdict.PASS
    assert needed <= passed.canary.requests < needed + rate * 0.5 * 15 + 1


def test_stricter_levels_and_errors_need_more() -> None:
    """The last step needs more than the first, and errors cost requests."""
    first, last = requests_to_pass(exam()), requests_to_pass(exam(step=2))
    with_errors = requests_to_pass(exam(step=2), 0.005)
    assert first is not None
    assert last is not None
    assert with_errors is not None
    assert 20 <= first < last < with_errors


def test_what_was_shown_already_is_not_asked_for_again() -> None:
    """After 40 clean requests the missing number is 40 lower."""
    fresh_one = requests_to_pass(exam())
    later = requests_to_pass(exam(after(Counts(10), Counts(90))))
    assert fresh_one is not None
    assert later == fresh_one - 40


def test_nothing_is_missing_when_the_step_passes() -> None:
    """A step that passes needs zero more requests."""
    assert requests_to_pass(exam(after(Counts(1000), Counts(9000)))) == 0


def test_min_requests_are_asked_for_even_of_a_loose_level() -> None:
    """`minRequests` applies whatever the odds."""
    analysis = Analysis(min_requests=5000)
    assert requests_to_pass(StepTest(NOTHING, LEVELS, 0, analysis, MADE_UP)) == 5000


def test_more_errors_than_the_level_never_pass() -> None:
    """With an error rate over the level the number is None."""
    assert requests_to_pass(exam(step=2), 0.02) is None


def test_clean_requests_do_not_lift_a_suspicion_against_stable() -> None:
    """Only errors of the stable revision would lift it, so there is no number."""
    assert requests_to_pass(exam(after(Counts(50, 3), Counts(2000)))) is None


def test_what_is_missing_in_an_outage_is_what_is_missing_after_it() -> None:
    """An outage adds no evidence, so the number is that after it."""
    before = after(Counts(5), Counts(900, 4)).evolve(dispersion_differences=100)
    during = before
    for now in (75.0, 90.0, 105.0):
        seen = WindowCounts(Counts(5, 2), Counts(900, 270), now, now, 15.0)
        during = update_evidence(during, seen, BOUNDS, LEVELS, tolerated=3.0)
    expected = requests_to_pass(exam(before))
    assert expected is not None
    assert requests_to_pass(exam(during)) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("errors", [0, 4])
@pytest.mark.parametrize("phi", [1.0, 2.5])
def test_the_quick_count_is_the_rules_own(step: int, errors: int, phi: float) -> None:
    """The fast computation agrees with the rule for a canary with stable's error rate."""
    past = {"past_requests": 1000, "past_errors": errors, "dispersion": phi}
    evidence = NOTHING.evolve(**past)
    expected = requests_to_pass(exam(evidence, step), errors / 1000)
    assert requests_to_certify(LEVELS[step], evidence, ANALYSIS) == expected


def test_what_stable_itself_could_not_show_is_never_certified() -> None:
    """A stable revision with 2 % errors cannot show a level of 1.5 %."""
    evidence = NOTHING.evolve(past_requests=1000, past_errors=20)
    assert requests_to_certify(LEVELS[2], evidence, ANALYSIS) is None


def test_even_errors_are_no_stronger_evidence() -> None:
    """Given errors without any dispersion, they count like independent ones, as in the judge."""
    even, usual = NOTHING.evolve(dispersion=0.0), NOTHING.evolve(dispersion=1.0)
    needed = requests_to_certify(LEVELS[0], even, ANALYSIS)
    assert needed == requests_to_certify(LEVELS[0], usual, ANALYSIS)
