"""The certificate of a step: an error rate under its level, or no worse than stable's."""

from math import log

import pytest

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.certify import log_odds_pass
from halimede.judge.martingales import PASS_FACTORS
from halimede.judge.reading import Counts
from halimede.judge.thresholds import limits
from tests.support.judged_rollout import JudgedRollout, usual

PAST = {Source.TRITON: usual(600)}
"""0.5 % errors: the level of the last step is 1.5 %."""
GOOD = (Counts(1000, 5), Counts(9000, 45))
CERTIFY = limits(Analysis()).certify


def polls_until_passed(
    watch: JudgedRollout, canary: Counts, stable: Counts, most: int = 200
) -> int:
    """Return the number of polls with these counts until the step passes."""
    for poll in range(1, most + 1):
        if watch.poll(canary, stable).verdict is Verdict.PASS:
            return poll
    raise AssertionError(watch.evidence.message)


def test_an_outage_of_both_takes_nothing_from_a_certificate() -> None:
    """Counts in an outage are in the sums but not in the usual counts."""
    watch = JudgedRollout(past=PAST)
    for _ in range(3):
        watch.poll(*GOOD)
    before = watch.source_evidence()
    for _ in range(8):
        watch.poll(Counts(1000, 300), Counts(9000, 2700))
    after = watch.source_evidence()
    assert (after.canary_requests, after.canary_errors) == (11_000, 2415)
    assert (after.usual_requests, after.usual_errors) == (3000, 15)
    assert (after.usual_stable_requests, after.usual_stable_errors) == (27_000, 135)
    assert after.log_no_worse == before.log_no_worse == ()
    assert log_odds_pass(after, 0.015) == pytest.approx(log_odds_pass(before, 0.015))


@pytest.mark.parametrize("minutes", [1, 5])
def test_an_equal_passes_within_minutes_after_an_outage(minutes: int) -> None:
    """An equal revision without earlier evidence passes soon after an outage."""
    watch = JudgedRollout(past=PAST)
    for _ in range(4 * minutes):
        assert watch.poll(Counts(100, 30), Counts(900, 270)).verdict is Verdict.CONTINUE
    assert polls_until_passed(watch, Counts(100, 0), Counts(900, 4)) <= 16


def test_an_outage_certifies_nothing() -> None:
    """Not even a canary without errors gets a certificate from an outage."""
    watch = JudgedRollout(Analysis(provider="None", on_better_than_stable="Hold"), past=PAST)
    verdicts = {watch.poll(Counts(100, 0), Counts(900, 270)).verdict for _ in range(40)}
    assert verdicts == {Verdict.CONTINUE}
    assert watch.source_evidence().usual_requests == 0
    assert watch.source_evidence().log_no_worse == ()


def test_an_equal_passes_while_stable_is_not_as_usual() -> None:
    """Both have 3 %, over the level of 1.5 %; the canary passes by comparison."""
    watch = JudgedRollout(past=PAST)
    poll = polls_until_passed(watch, Counts(1000, 30), Counts(9000, 270))
    evidence = watch.source_evidence()
    assert len(evidence.log_no_worse) == len(PASS_FACTORS)
    assert evidence.usual_requests == 0
    assert log_odds_pass(evidence, 0.015) >= CERTIFY
    assert poll <= 12


def test_a_canary_four_times_as_bad_does_not_pass_while_stable_is_not_as_usual() -> None:
    """4.8 % against 1.2 % is under the ceiling, but exceeds `maxErrorRatio`."""
    watch = JudgedRollout(past=PAST)
    for _ in range(60):
        assert watch.poll(Counts(1000, 48), Counts(9000, 108)).verdict is not Verdict.PASS
    evidence = watch.source_evidence()
    assert evidence.log_no_worse
    assert log_odds_pass(evidence, 0.015) < 0


def test_the_first_poll_of_an_outage_is_left_out() -> None:
    """The poll in which the trouble begins is already excluded."""
    watch = JudgedRollout(past=PAST)
    watch.poll(*GOOD)
    watch.poll(Counts(1000, 90), Counts(9000, 2700))
    assert watch.source_evidence().usual_requests == 1000
    assert watch.source_evidence().usual_errors == 5


def test_what_the_canary_does_has_no_say_in_what_is_usual() -> None:
    """All of the canary's errors count while stable is as usual."""
    watch = JudgedRollout(past=PAST)
    watch.poll(*GOOD)
    watch.poll(Counts(1000, 900), Counts(9000, 45))
    assert (watch.source_evidence().usual_requests, watch.source_evidence().usual_errors) == (
        2000,
        905,
    )


def test_one_error_in_a_poll_with_few_requests_is_as_usual() -> None:
    """One error in 20 requests is as usual."""
    watch = JudgedRollout(past=PAST)
    watch.poll(Counts(4, 0), Counts(20, 1))
    assert watch.source_evidence().usual_requests == 4


def test_without_a_past_only_an_outage_is_unusual() -> None:
    """Without a past a rate under the ceiling may be the usual one."""
    watch = JudgedRollout()
    for _ in range(10):
        watch.poll(Counts(1000, 45), Counts(9000, 405))
    assert watch.source_evidence().usual_requests == 10_000
    for _ in range(10):
        watch.poll(Counts(1000, 60), Counts(9000, 540))
    assert watch.source_evidence().usual_requests == 10_000


@pytest.mark.parametrize("part", [0.04, 0.042])
def test_an_equal_of_a_stable_close_to_the_level_passes(part: float) -> None:
    """4 % with a ceiling of 5 % passes after a long time, or sooner with more requests."""
    watch = JudgedRollout(past={Source.TRITON: usual(round(120_000 * part))})
    assert watch.evidence.levels[-1] == 0.05
    counts = Counts(1000, round(1000 * part)), Counts(9000, round(9000 * part))
    poll = polls_until_passed(watch, *counts)
    assert poll > 4
    for _ in range(20):
        assert watch.poll(*counts).verdict is Verdict.PASS
    assert log_odds_pass(watch.source_evidence(), 0.05) > log(1000)


def test_a_canary_at_the_level_does_not_pass() -> None:
    """5 % beside a stable revision with 4 % does not pass."""
    watch = JudgedRollout(past={Source.TRITON: usual(4800)})
    for _ in range(100):
        assert watch.poll(Counts(1000, 50), Counts(9000, 360)).verdict is not Verdict.PASS


def test_a_trouble_of_stable_alone_certifies_nothing_for_the_time_after_it() -> None:
    """A minute of 4 % on stable does not certify a canary at 2 % with a level of 1.5 %."""
    watch = JudgedRollout(past=PAST)
    for _ in range(4):
        watch.poll(Counts(100, 2), Counts(900, 36))
    assert max(watch.source_evidence().log_no_worse) > log(2)
    verdicts = [watch.poll(Counts(100, 2), Counts(900, 4)).verdict for _ in range(40)]
    assert max(watch.source_evidence().log_no_worse) <= 0
    assert Verdict.PASS not in verdicts[12:]


def test_after_an_outage_the_message_does_not_blame_stable() -> None:
    """Stable's errors in an outage of both are not taken as its usual rate."""
    watch = JudgedRollout(past=PAST)
    for _ in range(4):
        watch.poll(Counts(10, 3), Counts(900, 270))
    judgements = [watch.poll(Counts(10, 0), Counts(900, 4)) for _ in range(10)]
    assert judgements[-1].verdict is Verdict.CONTINUE
    assert judgements[-1].message.endswith("the error rate is under 1.5 % (20:1 required)")


def test_message_if_stable_itself_could_not_pass() -> None:
    """If stable's rate is over the level, the message says that an equal cannot pass."""
    watch = JudgedRollout(past={Source.TRITON: usual(12_000)})
    for _ in range(60):
        judgement = watch.poll(Counts(1000, 100), Counts(9000, 900))
        assert judgement.verdict is Verdict.CONTINUE
    assert judgement.message.endswith(
        ". Stable aaaa1111 itself has 10 % errors, so only a better revision can pass"
    )
