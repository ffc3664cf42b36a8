"""A canary that is certainly better than a bad stable may pass although it is over a level."""

import pytest

from halimede.api.analysis import Analysis, BetterThanStable, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.martingales import BETTER_FACTORS
from halimede.judge.reading import Counts
from tests.support.judged_rollout import JudgedRollout, usual

BAD_PAST = {Source.TRITON: usual(12_000)}
"""10 % errors with a ceiling of 5 %."""
SIX, TEN = Counts(200, 12), Counts(1800, 180)


def watched(wish: BetterThanStable, past: int = 12_000) -> JudgedRollout:
    """Return a rollout whose stable revision had this many errors in 120000 requests."""
    analysis = Analysis(provider=MetricsProvider.NONE, on_better_than_stable=wish)
    return JudgedRollout(analysis, past={Source.TRITON: usual(past)})


def test_canary_better_than_a_bad_stable_passes_with_a_message() -> None:
    """6 % against 10 % passes, though the step requires 5 %."""
    watch = watched(BetterThanStable.PROMOTE)
    judgements = [watch.poll(SIX, TEN) for _ in range(30)]
    assert [one.verdict for one in judgements[:3]] == [Verdict.CONTINUE] * 3
    passed = next(one for one in judgements if one.verdict is Verdict.PASS)
    assert "; stable aaaa1111: " in passed.message
    assert passed.message.endswith(":1 that the error rate is under 80 % of stable's")
    assert judgements[-1].verdict is Verdict.PASS


def test_better_canary_is_held_with_hold() -> None:
    """The message says that an equal revision would not pass either."""
    watch = watched(BetterThanStable.HOLD)
    judgements = [watch.poll(SIX, TEN) for _ in range(60)]
    assert {one.verdict for one in judgements} == {Verdict.CONTINUE}
    assert "that the error rate is under 5 % (20:1 required)" in judgements[-1].message
    assert watch.source_evidence().log_better


def test_with_hold_a_fix_passes_by_its_own_rate() -> None:
    """1 % passes without comparison, although stable is far over the ceiling."""
    watch = watched(BetterThanStable.HOLD, past=4800)
    judgements = [watch.poll(Counts(200, 2), Counts(1800, 72)) for _ in range(30)]
    assert judgements[-1].verdict is Verdict.PASS
    assert judgements[-1].message.endswith("that the error rate is under 5 %")


@pytest.mark.parametrize("errors", [17, 18, 20, 30])
def test_what_is_hardly_better_does_not_pass(errors: int) -> None:
    """85 % or 90 % of stable's error rate, the same, or 150 % do not pass."""
    watch = watched(BetterThanStable.PROMOTE)
    verdicts = {watch.poll(Counts(200, errors), TEN).verdict for _ in range(100)}
    assert Verdict.PASS not in verdicts


def test_beside_a_good_stable_nothing_is_bet_on_being_better() -> None:
    """If stable itself is under the level, there is no bet on being better."""
    watch = watched(BetterThanStable.PROMOTE, past=600)
    for _ in range(20):
        watch.poll(Counts(200, 0), Counts(1800, 9))
    assert watch.source_evidence().log_better == ()


def test_the_bets_begin_with_the_poll_after_stable_is_known_to_be_bad() -> None:
    """The bets start after the poll that shows stable as bad, so they do not depend on it."""
    watch = watched(BetterThanStable.PROMOTE, past=600)
    watch.poll(Counts(200, 0), TEN)
    assert watch.source_evidence().log_better == ()
    watch.poll(Counts(200, 0), TEN)
    assert len(watch.source_evidence().log_better) == len(BETTER_FACTORS)


def test_what_was_better_in_an_outage_of_stable_alone_is_forgotten_after_it() -> None:
    """Three polls in which stable's node drained do not count afterwards."""
    watch = watched(BetterThanStable.PROMOTE, past=600)
    for _ in range(3):
        watch.poll(Counts(200, 4), Counts(1800, 540))
    assert watch.source_evidence().log_better
    verdicts = [watch.poll(Counts(200, 4), Counts(1800, 9)).verdict for _ in range(40)]
    assert watch.source_evidence().log_better == ()
    assert Verdict.PASS not in verdicts[20:]


def test_a_better_one_still_needs_polls_and_requests() -> None:
    """`minRequests` applies here, too."""
    watch = watched(BetterThanStable.PROMOTE)
    watch.analysis = watch.analysis.evolve(min_requests=2000)
    verdicts = [watch.poll(Counts(200, 2), TEN).verdict for _ in range(12)]
    assert verdicts == [Verdict.CONTINUE] * 9 + [Verdict.PASS] * 3
