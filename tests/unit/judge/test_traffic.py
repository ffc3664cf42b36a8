"""The rate of requests by the rollout's own counts, and the silence after the last request."""

from dataclasses import replace

import pytest

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.baseline import ENOUGH_SECONDS
from halimede.judge.reading import Counts
from halimede.judge.traffic import per_second, quiet_for, requested_at
from tests.support.judged_rollout import BEGIN, DOWN, JudgedRollout


def counted(
    canary: int, stable: int, source: str = Source.ROUTER, seconds: float = 600.0
) -> SourceEvidence:
    """Return evidence with these requests of both revisions."""
    return SourceEvidence(
        source=source,
        begun_at=1000.0,
        watermark=1000.0 + seconds,
        canary_requests=canary,
        stable_requests=stable,
    )


def test_the_rate_is_counted_if_the_past_has_none() -> None:
    """Without a past the rate is the requests of both revisions over their time."""
    assert per_second(None, (counted(6, 114),)) == 0.2


@pytest.mark.parametrize(("seconds", "rate"), [(ENOUGH_SECONDS - 1, None), (ENOUGH_SECONDS, 0.4)])
def test_a_short_time_gives_no_rate(seconds: float, rate: float | None) -> None:
    """Less than five minutes give no rate, as in the past."""
    assert per_second(None, (counted(6, 114, seconds=seconds),)) == rate


def test_the_source_with_the_fewest_requests_decides() -> None:
    """Every source must have enough requests to let a step pass."""
    triton = counted(3, 57, Source.TRITON)
    assert per_second(None, (counted(6, 114), triton)) == 0.1


def test_a_source_without_stable_requests_gives_no_rate() -> None:
    """A source without stable's counts has only the canary's."""
    blind = counted(6, 0, Source.TRITON)
    assert per_second(None, (counted(6, 114), blind)) == 0.2
    assert per_second(None, (blind,)) == 0.01


def test_objectives_give_no_request_rate() -> None:
    """Queries of objectives may count anything, so they give no rate."""
    assert per_second(None, (counted(1, 1, "metrics/tokens"),)) is None


@pytest.mark.parametrize(
    ("known", "kept"), [(0.39, True), (0.41, False), (0.11, True), (0.09, False)]
)
def test_a_known_rate_is_kept_within_a_factor_of_two(known: float, *, kept: bool) -> None:
    """A rate that the rollout's counts confirm stays, so messages stay the same."""
    assert per_second(known, (counted(6, 114),)) == (known if kept else 0.2)


def test_mirrored_requests_give_no_request_rate() -> None:
    """A request that is copied is counted for both revisions."""
    assert per_second(None, (counted(120, 120),), pre_traffic=True) is None


def test_traffic_that_ends_is_known_as_none() -> None:
    """No request in ten minutes gives a rate of zero."""
    assert per_second(5.0, (counted(0, 0),)) == 0.0


def test_requested_when_the_number_grows() -> None:
    """The time is updated if the number grows in any source."""
    before = Evidence(sources=(counted(5, 50), counted(5, 50, Source.TRITON)))
    grown = (counted(5, 60), counted(6, 50, Source.TRITON))
    assert requested_at(before, grown, 99.0) == 99.0
    known = before.evolve(requested_at=50.0)
    assert requested_at(known, before.sources, 99.0) == 50.0
    assert requested_at(Evidence(sources=(counted(0, 9),)), (counted(0, 12),), 99.0) is None


def test_evidence_without_a_start_time_counts_from_now() -> None:
    """The time of the last request is not known in older evidence."""
    before = Evidence(sources=(counted(5, 50),))
    assert requested_at(before, before.sources, 99.0) == 99.0


def test_quiet_from_the_timeout_on() -> None:
    """Before the first request the verdict is another one."""
    analysis = Analysis(no_data_timeout_seconds=600)
    assert quiet_for(None, analysis, 9999.0) is None
    assert quiet_for(1000.0, analysis, 1599.0) is None
    assert quiet_for(1000.0, analysis, 1600.0) == 600.0


SHORT = Analysis(provider=MetricsProvider.NONE, no_data_timeout_seconds=60)


def asked_once() -> JudgedRollout:
    """Give the canary one request in the first poll."""
    watch = JudgedRollout(SHORT)
    assert watch.poll(Counts(1, 0), Counts(9, 0)).verdict is Verdict.CONTINUE
    return watch


def test_one_request_does_not_hide_that_there_are_no_more() -> None:
    """After the timeout the verdict is NoData since the last request."""
    watch = asked_once()
    judgements = [watch.poll(stable=Counts(9, 0)) for _ in range(4)]
    assert [one.verdict for one in judgements] == [Verdict.CONTINUE] * 3 + [Verdict.NO_DATA]
    assert "No request for 60 s" in judgements[-1].message
    assert watch.evidence.no_data_since == BEGIN + 15
    assert watch.poll(Counts(1, 0)).verdict is Verdict.CONTINUE
    assert watch.evidence.no_data_since is None


def test_requests_of_the_time_without_prometheus_count() -> None:
    """Requests during an outage count in the first poll after it."""
    watch = asked_once()
    watch.instead = {Source.TRITON: DOWN}
    for _ in range(5):
        assert watch.poll(Counts(1, 0), Counts(9, 0)).verdict is Verdict.METRICS_DOWN
    watch.instead = {}
    assert watch.poll(stable=Counts(9, 0)).verdict is Verdict.CONTINUE


def test_a_failing_canary_is_aborted_after_requests_have_ended() -> None:
    """Evidence against the canary stays when requests end."""
    watch = asked_once()
    for _ in range(4):
        judgement = watch.poll(Counts(100, 100), Counts(900, 0))
    assert judgement.verdict is Verdict.ABORT
    judgement = [watch.poll() for _ in range(5)][-1]
    assert judgement.verdict is Verdict.ABORT


def test_pre_traffic_analysis_without_requests_runs_its_full_time() -> None:
    """A preview needs no continuous requests."""
    watch = replace(asked_once(), pre_traffic=True)
    watch.poll(Counts(1, 0))
    judgement = [watch.poll() for _ in range(6)][-1]
    assert judgement.verdict is Verdict.CONTINUE


def test_the_judge_notes_the_rollouts_own_rate() -> None:
    """The rate is stored after five minutes of ten requests per 15 s poll."""
    watch = JudgedRollout(SHORT)
    rates = [
        watch.poll(Counts(1, 0), Counts(9, 0)).evidence.requests_per_second for _ in range(20)
    ]
    assert rates[:19] == [None] * 19
    assert rates[19] == pytest.approx(10 / 15, rel=0.01)
