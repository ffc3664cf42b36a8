"""The judge while a revision is seen by copies of requests, or behind a preview."""

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.judge.reading import Counts
from tests.support.judged_rollout import NOTHING, JudgedRollout


def rehearsed() -> JudgedRollout:
    """Watch a revision before users meet it, by both sources."""
    return JudgedRollout(analysis=Analysis(), rehearsal=True)


def test_rehearsal_passes_without_the_router() -> None:
    """Where the router does not see copies, Triton's counters alone must do."""
    watch = rehearsed()
    for _ in range(20):
        judgement = watch.poll(Counts(50, 0), Counts(50, 0), router=NOTHING)
    assert judgement.verdict is Verdict.PASS
    watch.rehearsal = False
    assert watch.poll(Counts(50, 0), Counts(50, 0), router=NOTHING).verdict is Verdict.NO_DATA


def test_rehearsal_needs_requests() -> None:
    """A preview that nobody asks shows nothing."""
    assert rehearsed().poll(stable=Counts(50, 0)).verdict is Verdict.NO_DATA


def test_rehearsal_is_stopped_by_the_router_where_it_sees_errors() -> None:
    """What Triton takes for success may be an error to whoever gets the answer."""
    watch = rehearsed()
    verdicts = [
        watch.poll(Counts(50, 0), Counts(50, 0), router=Counts(50, 20)).verdict for _ in range(6)
    ]
    assert Verdict.ABORT in verdicts


def test_rehearsal_is_compared_with_nothing() -> None:
    """Copies are no fair sample of users' requests, so stable's errors say nothing of them."""
    watch = rehearsed()
    for _ in range(20):
        judgement = watch.poll(Counts(50, 1), Counts(5000, 0))
    assert judgement.verdict is Verdict.PASS
    assert {value for held in watch.evidence.sources for value in held.log_rel} == {0.0}
