"""What stops a rollout: the odds of all tests together, rising in enough polls."""

from math import exp, log

import pytest

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.evidence import log_odds_against
from halimede.judge.martingales import log_mixture
from halimede.judge.reading import Counts
from halimede.judge.thresholds import limits
from tests.support.judged_rollout import BAD, GOOD, JudgedRollout, usual

ALL_FAIL = (Counts(100, 100), Counts(900, 4))
PAST = {Source.TRITON: usual(600)}
"""0.5 % errors."""


def polls_until_stopped(
    watch: JudgedRollout, canary: Counts, stable: Counts, most: int = 60
) -> int:
    """Return the number of polls with these counts until the canary is stopped."""
    for poll in range(1, most + 1):
        if watch.poll(canary, stable).verdict is Verdict.ABORT:
            return poll
    raise AssertionError(watch.evidence.message)


def test_tests_that_agree_stop_sooner_than_each_of_them_would() -> None:
    """The mean of six reaches 100 to 1 before one of them reaches 600 to 1."""
    watch = JudgedRollout(Analysis())
    poll = polls_until_stopped(watch, Counts(50, 2), Counts(450, 3))
    strongest = max(log_odds_against(evidence) for evidence in watch.evidence.sources)
    assert poll > 4
    assert log(100) < strongest < log(600)


def test_one_test_alone_needs_the_odds_times_the_number_of_tests() -> None:
    """One test alone stops the canary if Triton counts no errors."""
    watch = JudgedRollout(Analysis())
    verdict, before = Verdict.CONTINUE, 0.0
    while verdict is not Verdict.ABORT:
        before = exp(max(log_mixture(one.log_rel) for one in watch.evidence.sources))
        verdict = watch.poll(Counts(100, 0), Counts(900, 9), router=Counts(100, 5)).verdict
    assert log_mixture(watch.source_evidence(Source.TRITON).log_rel) < 0
    assert exp(log_mixture(watch.source_evidence(Source.ROUTER).log_rel)) > 550
    assert before < 600


@pytest.mark.parametrize("provider", [MetricsProvider.NONE, MetricsProvider.CONTOUR])
def test_the_mean_is_what_decides(provider: MetricsProvider) -> None:
    """The mean decides in every poll after the minimum number of polls."""
    watch = JudgedRollout(Analysis(provider=provider), past=PAST)
    bounds = limits(watch.analysis)
    for _ in range(40):
        verdict = watch.poll(Counts(100, 3), Counts(900, 5)).verdict
        evidence = watch.evidence.sources
        worse = sum(exp(log_mixture(one.log_rel)) for one in evidence)
        mean = log(worse / bounds.tests)
        if mean >= bounds.stop and evidence[0].polls_against >= 4:
            assert verdict is Verdict.ABORT
        if verdict is Verdict.ABORT:
            break
        assert mean < bounds.stop or evidence[0].polls_against < 4
    assert verdict is Verdict.ABORT


def test_four_polls_stop_unless_most_requests_fail() -> None:
    """Three polls may be a short burst, so they stop only a total failure."""
    assert polls_until_stopped(JudgedRollout(), *BAD) == 4
    assert polls_until_stopped(JudgedRollout(), *ALL_FAIL) == 3
    assert polls_until_stopped(JudgedRollout(), Counts(1000, 499), Counts(9000, 40)) == 4
    assert polls_until_stopped(JudgedRollout(), Counts(1000, 501), Counts(9000, 40)) == 3


def test_a_burst_in_three_polls_stops_nothing() -> None:
    """The odds are far over 100:1 after the burst; the canary is held until they fall."""
    watch = JudgedRollout(past=PAST)
    for _ in range(10):
        watch.poll(*GOOD)
    verdicts = [watch.poll(Counts(1000, 400), Counts(9000, 45)).verdict for _ in range(3)]
    assert log_odds_against(watch.source_evidence()) > log(300)
    verdicts += [watch.poll(*GOOD).verdict for _ in range(20)]
    assert Verdict.ABORT not in verdicts
    assert verdicts[2:5] == [Verdict.CONTINUE] * 3


@pytest.mark.parametrize("provider", [MetricsProvider.NONE, MetricsProvider.CONTOUR])
@pytest.mark.parametrize("good", [0, 1, 10, 200])
def test_total_failure_is_aborted_at_the_third_poll_whatever_was_before(
    good: int, provider: MetricsProvider
) -> None:
    """An hour without errors does not delay the stop."""
    watch = JudgedRollout(Analysis(provider=provider), past=PAST)
    for _ in range(good):
        watch.poll(Counts(1000, 5), Counts(9000, 45))
    assert polls_until_stopped(watch, Counts(1000, 1000), Counts(9000, 45)) == 3


@pytest.mark.parametrize("good", [1, 200])
def test_total_failure_in_the_bake_is_aborted_at_the_third_poll(good: int) -> None:
    """This also holds without requests on the stable revision."""
    watch = JudgedRollout(Analysis(), past=PAST)
    for _ in range(5):
        watch.poll(Counts(1000, 5), Counts(9000, 45))
    watch.bake, watch.compared = True, False
    for _ in range(good):
        watch.poll(Counts(10_000, 50))
    assert polls_until_stopped(watch, Counts(10_000, 10_000), Counts()) == 3


def test_bets_that_were_lost_are_kept_at_a_floor() -> None:
    """The floor is 1:1000, so that a moderately bad canary is still detected in minutes."""
    watch = JudgedRollout(past=PAST)
    for _ in range(100):
        watch.poll(Counts(1000, 5), Counts(9000, 45))
    assert min(watch.source_evidence().log_rel) == pytest.approx(-log(1000), abs=1e-6)
    assert polls_until_stopped(watch, Counts(1000, 50), Counts(9000, 45)) < 8


def test_polls_as_usual_do_not_speak_against_the_canary() -> None:
    """The canary has stable's usual error rate while stable has no errors."""
    watch = JudgedRollout(past=PAST)
    for _ in range(8):
        assert watch.poll(Counts(1000, 6), Counts(9000, 0)).verdict is not Verdict.ABORT
    evidence = watch.source_evidence()
    assert log_mixture(evidence.log_rel) > log(300)
    assert evidence.polls_against == 0


def test_polls_are_counted_while_the_odds_rise() -> None:
    """Polls with a new maximum of the odds count; below 3:1 the count restarts."""
    watch = JudgedRollout()
    counted = []
    for canary in (Counts(100, 10), Counts(100, 10), Counts(100, 0), Counts(100, 3)):
        watch.poll(canary, Counts(900, 9))
        counted.append(watch.source_evidence().polls_against)
    assert counted == [1, 2, 2, 2]
    while watch.source_evidence().polls_against:
        watch.poll(Counts(100, 0), Counts(900, 9))
    assert log_odds_against(watch.source_evidence()) < log(3)
    assert watch.source_evidence().highest_against == 0.0


def test_polls_that_leave_the_odds_as_they_are_are_not_counted() -> None:
    """In an outage of both the strongest test does not rise, not even by rounding."""
    watch = JudgedRollout(past=PAST)
    for errors in (14, 13, 12, 11):
        watch.poll(Counts(200, errors), Counts(1800, 90))
        watch.poll(Counts(100, 30), Counts(900, 4))
        counted = watch.source_evidence().polls_against
        for _ in range(3):
            watch.poll(Counts(100, 30), Counts(900, 271))
            assert watch.source_evidence().polls_against <= counted


@pytest.mark.parametrize("percent", ["0.6", "2"])
def test_before_anything_was_counted_nothing_is_suspected(percent: str) -> None:
    """Rounding in the sum of nine or eleven equal parts causes no suspicion."""
    analysis = Analysis(provider=MetricsProvider.NONE, max_error_percent=percent)
    watch = JudgedRollout(analysis, past=PAST)
    assert len(watch.source_evidence().log_abs) in {9, 11}
    watch.poll(Counts(0, 0), Counts(900, 4))
    assert watch.source_evidence().log_confirmation == ()


def test_polls_in_an_outage_add_nothing_to_the_tests_without_stable() -> None:
    """This holds if this source or only the router shows the outage."""
    for hidden in (set(), {(Source.TRITON, "aaaa1111")}):
        watch = JudgedRollout(Analysis(), bake=True)
        for _ in range(4):
            watch.poll(Counts(100, 4), Counts(900, 4))
        watch.unscraped = hidden
        for _ in range(12):  # until the gap in the counters is over
            watch.poll(Counts(100, 4), Counts(900, 4))
        before = {one.source: (one.log_abs, one.log_bake) for one in watch.evidence.sources}
        seen = watch.source_evidence().canary_errors
        for _ in range(12):
            watch.poll(Counts(100, 30), Counts(900, 270))
        after = {one.source: (one.log_abs, one.log_bake) for one in watch.evidence.sources}
        assert watch.source_evidence().canary_errors > seen
        assert after["Triton"] == before["Triton"]
        assert after["Router"] == before["Router"]


def test_no_step_passes_while_stable_is_in_trouble_itself() -> None:
    """An earlier certificate does not apply while both fail."""
    watch = JudgedRollout(Analysis(), past=PAST)
    verdicts = [watch.poll(Counts(1000, 5), Counts(9000, 45)).verdict for _ in range(8)]
    assert verdicts[-1] is Verdict.PASS
    judgement = watch.poll(Counts(1000, 300), Counts(9000, 2700))
    assert judgement.verdict is Verdict.CONTINUE
    assert "the error rate of stable aaaa1111 is over 5 % too" in judgement.message
    verdicts = [watch.poll(Counts(1000, 5), Counts(9000, 45)).verdict for _ in range(20)]
    assert verdicts[-1] is Verdict.PASS
