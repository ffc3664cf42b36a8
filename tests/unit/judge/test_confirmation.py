"""Tests without stable stop a canary only if a comparison confirms that it is worse."""

from math import log

import pytest

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.evidence import log_odds_against
from halimede.judge.martingales import log_mixture
from halimede.judge.reading import Counts
from halimede.judge.thresholds import CONFIRMATION
from tests.support.judged_rollout import DOWN, NOTHING, JudgedRollout, usual
from tests.support.series import STABLE

TRITON_OF_STABLE = {(Source.TRITON, STABLE)}
EVERYTHING_OF_STABLE = TRITON_OF_STABLE | {(Source.ROUTER, STABLE)}
GOOD = (Counts(100, 0), Counts(900, 4))
BOTH_FAIL = (Counts(100, 30), Counts(900, 270))
CANARY_FAILS = (Counts(100, 30), Counts(900, 4))
PAST = {Source.TRITON: usual(600)}


@pytest.mark.parametrize("good", [0, 1, 10])
@pytest.mark.parametrize("bake", [False, True])
def test_an_outage_of_both_stops_nothing_while_stables_triton_is_not_scraped(
    good: int, *, bake: bool
) -> None:
    """The router shows that stable fails as often; afterwards the evidence is as before."""
    watch = JudgedRollout(Analysis(), past=PAST)
    for _ in range(good):
        watch.poll(*GOOD)
    watch.bake = bake
    watch.unscraped = TRITON_OF_STABLE
    assert Verdict.ABORT not in [watch.poll(*BOTH_FAIL).verdict for _ in range(40)]
    watch.unscraped = set()
    assert Verdict.ABORT not in [watch.poll(*GOOD).verdict for _ in range(40)]


@pytest.mark.parametrize("bake", [False, True])
def test_canary_that_keeps_failing_alone_is_aborted(*, bake: bool) -> None:
    """The canary is stopped when stable recovers, though its Triton is not scraped."""
    watch = JudgedRollout(Analysis(), past=PAST)
    for _ in range(4):
        watch.poll(*GOOD)
    watch.bake = bake
    watch.unscraped = TRITON_OF_STABLE
    assert Verdict.ABORT not in [watch.poll(*BOTH_FAIL).verdict for _ in range(20)]
    verdicts = [watch.poll(*CANARY_FAILS).verdict for _ in range(6)]
    assert verdicts[-1] is Verdict.ABORT


def test_the_comparison_begins_with_the_suspicion_and_ends_with_it() -> None:
    """Comparisons before the suspicion do not confirm it."""
    watch = JudgedRollout(past=PAST)
    for _ in range(4):
        watch.poll(*GOOD)
    assert watch.source_evidence().log_confirmation == ()
    for _ in range(3):
        watch.poll(*CANARY_FAILS)
    evidence = watch.source_evidence()
    assert log_mixture(evidence.log_abs) > 0
    assert log_mixture(evidence.log_confirmation) > CONFIRMATION == log(100)
    assert evidence.confirmation_requests == 2700
    while watch.source_evidence().log_confirmation:
        watch.poll(*GOOD)
    evidence = watch.source_evidence()
    assert max(log_mixture(evidence.log_abs), log_mixture(evidence.log_bake)) <= 0
    assert evidence.confirmation_requests == 0


def test_canary_over_the_ceiling_is_held_while_stable_is_nearly_as_bad() -> None:
    """7 % against 5 % is over the ceiling but not confirmed as worse, so it is held."""
    watch = JudgedRollout(past={Source.TRITON: usual(6000)})
    verdicts = {watch.poll(Counts(200, 14), Counts(1800, 90)).verdict for _ in range(60)}
    evidence = watch.source_evidence()
    assert log_mixture(evidence.log_abs) > log(600)
    assert log_mixture(evidence.log_confirmation) < CONFIRMATION
    assert verdicts == {Verdict.CONTINUE}
    assert "held because the odds against it" in (watch.evidence.message or "")


def test_a_stable_with_few_requests_takes_its_time_to_confirm() -> None:
    """13 % against 5 % of 20 requests per poll is confirmed later than it is over the ceiling."""
    watch = JudgedRollout(past={Source.TRITON: usual(6000)})
    confirmed, said = list[bool](), list[Verdict]()
    while Verdict.ABORT not in said:
        said.append(watch.poll(Counts(200, 26), Counts(20, 1)).verdict)
        evidence = watch.source_evidence()
        if log_mixture(evidence.log_rel) < log(300):
            confirmed.append(log_mixture(evidence.log_confirmation) >= CONFIRMATION)
            assert (said[-1] is Verdict.ABORT) == confirmed[-1]
            assert len(said) < 4 or log_mixture(evidence.log_abs) > log(600)
    assert confirmed[-1]
    assert len(confirmed) > 5


def test_same_canary_is_aborted_beside_a_good_stable() -> None:
    """7 % against 0.5 % is stopped."""
    watch = JudgedRollout(past=PAST)
    verdicts = [watch.poll(Counts(200, 14), Counts(1800, 9)).verdict for _ in range(10)]
    assert verdicts[-1] is Verdict.ABORT


def test_errors_that_only_triton_counts_are_not_confirmed_by_the_router() -> None:
    """Without stable's Triton, errors that the router does not see are not confirmed."""
    watch = JudgedRollout(Analysis(), past=PAST)
    for _ in range(4):
        watch.poll(*GOOD)
    watch.unscraped = TRITON_OF_STABLE
    verdicts = [watch.poll(*CANARY_FAILS, router=Counts(100, 0)).verdict for _ in range(30)]
    assert log_mixture(watch.source_evidence().log_abs) > log(600)
    assert Verdict.ABORT not in verdicts


def test_a_source_that_counts_stable_speaks_for_itself() -> None:
    """The router alone confirms errors that Triton counts as successes."""
    watch = JudgedRollout(Analysis(), past=PAST)
    verdicts = [
        watch.poll(Counts(100, 0), Counts(900, 4), router=Counts(100, 30)).verdict
        for _ in range(4)
    ]
    assert verdicts[-1] is Verdict.ABORT


@pytest.mark.parametrize("provider", [MetricsProvider.NONE, MetricsProvider.CONTOUR])
def test_suspected_canary_without_stable_scrapes_is_held(provider: MetricsProvider) -> None:
    """Without any counter of stable the canary is held, if stable has a share."""
    watch = JudgedRollout(
        Analysis(provider=provider), past=PAST, unscraped=set(EVERYTHING_OF_STABLE)
    )
    watch.points = {key: old for key, old in watch.points.items() if key[1] != STABLE}
    verdicts = {watch.poll(*BOTH_FAIL).verdict for _ in range(40)}
    assert log_odds_against(watch.source_evidence()) > log(600)
    assert verdicts <= {Verdict.CONTINUE, Verdict.NO_DATA}


@pytest.mark.parametrize("provider", [MetricsProvider.NONE, MetricsProvider.CONTOUR])
def test_suspected_canary_without_stable_requests_is_held_later(
    provider: MetricsProvider,
) -> None:
    """The same holds if stable's counters end: it may still have requests."""
    watch = JudgedRollout(Analysis(provider=provider), past=PAST)
    for _ in range(4):
        watch.poll(*GOOD)
    watch.unscraped = TRITON_OF_STABLE
    watch.instead = {Source.ROUTER: DOWN}
    verdicts = [watch.poll(*BOTH_FAIL).verdict for _ in range(40)]
    assert log_odds_against(watch.source_evidence()) > log(600)
    assert Verdict.ABORT not in verdicts


@pytest.mark.parametrize("bake", [False, True])
def test_the_test_stands_alone_where_stable_is_given_nothing(*, bake: bool) -> None:
    """With all requests on the canary no comparison is needed."""
    watch = JudgedRollout(Analysis(), past=PAST, unscraped=set(EVERYTHING_OF_STABLE), bake=bake)
    watch.points = {key: old for key, old in watch.points.items() if key[1] != STABLE}
    watch.compared = False
    verdicts = [watch.poll(Counts(100, 30)).verdict for _ in range(4)]
    assert verdicts == [Verdict.CONTINUE] * 3 + [Verdict.ABORT]


def test_the_test_stands_alone_where_stables_counters_do_not_move() -> None:
    """Constant counters show that stable has no requests, whatever its share."""
    watch = JudgedRollout(past=PAST)
    verdicts = [watch.poll(Counts(100, 30), NOTHING).verdict for _ in range(4)]
    assert verdicts == [Verdict.CONTINUE] * 3 + [Verdict.ABORT]


def test_control_share_of_the_bake_must_confirm_the_baseline() -> None:
    """If both fail ten times as often as in the past, the canary is not stopped."""
    watch = JudgedRollout(past=PAST)
    for _ in range(5):
        watch.poll(Counts(500, 2), Counts(500, 2))
    watch.bake = True
    verdicts = {watch.poll(Counts(900, 40), Counts(100, 4)).verdict for _ in range(40)}
    assert log_mixture(watch.source_evidence().log_bake) > log(600)
    assert verdicts == {Verdict.CONTINUE}
    alone = [watch.poll(Counts(900, 40), Counts(100, 0)).verdict for _ in range(40)]
    assert Verdict.ABORT in alone
