"""The judge in the bake, when the new revision has all requests."""

from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.reading import Counts
from tests.support.judged_rollout import DOWN, JudgedRollout


def baked(errors: int = 0) -> JudgedRollout:
    """Return a rollout in its bake; stable had this many errors in 9000 requests."""
    watch = JudgedRollout()
    for _ in range(5):
        watch.poll(Counts(200), Counts(1800, errors // 5))
    watch.bake = True
    return watch


def test_canary_that_turns_bad_in_the_bake_is_aborted_by_the_baseline() -> None:
    """3 % is under `maxErrorPercent`, but far over three times stable's 0.1 %."""
    watch = baked(10)
    verdicts = [watch.poll(Counts(200, 6)).verdict for _ in range(5)]
    assert verdicts == [Verdict.CONTINUE] * 4 + [Verdict.ABORT]
    assert watch.evidence.message == (
        "30 of 2000 requests failed in Triton (1.5 %); odds 4200:1 that the error rate is over"
        " 0.71 % (the ceiling from the baseline of aaaa1111); all tests together 1400:1 (abort at"
        " 100:1)"
    )
    assert watch.evidence.bake_polls == 5


def test_what_is_as_it_was_is_left_alone_in_the_bake() -> None:
    """An unchanged revision continues, and the message has the odds against it."""
    watch = baked(10)
    verdicts = {watch.poll(Counts(2000, 2)).verdict for _ in range(20)}
    assert verdicts == {Verdict.CONTINUE}
    assert watch.evidence.message == (
        "40 of 41000 requests failed in Triton (0.1 %); odds under 1:1 against it"
    )


def test_the_ceiling_of_the_bake_stays_as_it_was_at_its_beginning() -> None:
    """The bake's own counts do not move its ceiling."""
    watch = baked(10)
    watch.poll(Counts(200, 6))
    fixed = watch.evidence.sources[0].bake_ceiling
    watch.poll(Counts(200, 6), Counts(10_000, 5000))
    assert watch.evidence.sources[0].bake_ceiling == fixed


def test_polls_without_requests_are_not_counted_in_the_bake() -> None:
    """A poll during an outage of Prometheus does not count."""
    watch = baked()
    watch.instead = {Source.TRITON: DOWN}
    watch.poll()
    assert watch.evidence.bake_polls == 0
    watch.instead = {}
    watch.poll()
    assert watch.evidence.bake_polls == 1
