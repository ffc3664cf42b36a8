"""The judge during a mirror or a preview."""

from halimede.api.analysis import Analysis
from halimede.api.reasons import Verdict
from halimede.judge.reading import Counts
from tests.support.judged_rollout import NOTHING, JudgedRollout


def before_traffic() -> JudgedRollout:
    """Return a revision judged by both sources before users meet it."""
    return JudgedRollout(analysis=Analysis(), pre_traffic=True)


def test_pre_traffic_analysis_passes_without_the_router() -> None:
    """If the router does not count copies, Triton's counters suffice."""
    watch = before_traffic()
    for _ in range(20):
        judgement = watch.poll(Counts(50, 0), Counts(50, 0), router=NOTHING)
    assert judgement.verdict is Verdict.PASS
    watch.pre_traffic = False
    assert watch.poll(Counts(50, 0), Counts(50, 0), router=NOTHING).verdict is Verdict.NO_DATA


def test_pre_traffic_analysis_needs_requests() -> None:
    """A preview without requests does not pass."""
    assert before_traffic().poll(stable=Counts(50, 0)).verdict is Verdict.NO_DATA


def test_pre_traffic_analysis_is_aborted_by_router_errors() -> None:
    """A success in Triton may be an error at the router."""
    watch = before_traffic()
    verdicts = [
        watch.poll(Counts(50, 0), Counts(50, 0), router=Counts(50, 20)).verdict for _ in range(6)
    ]
    assert Verdict.ABORT in verdicts


def test_pre_traffic_analysis_compares_with_nothing() -> None:
    """Copies are not a fair sample of users' requests, so they are not compared."""
    watch = before_traffic()
    for _ in range(20):
        judgement = watch.poll(Counts(50, 1), Counts(5000, 0))
    assert judgement.verdict is Verdict.PASS
    assert {value for evidence in watch.evidence.sources for value in evidence.log_rel} == {0.0}
