"""The judge in its polls, every 15 s, with counters that a test increments."""

import pytest

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.reading import Counts, History, Reading, counted_since
from tests.support.judged_rollout import BAD, BEGIN, DOWN, GOOD, NOTHING, JudgedRollout
from tests.support.series import STABLE, measured, request, triton


def test_a_good_canary_passes_with_its_figures() -> None:
    """It passes after three polls and enough requests to exclude 5 %."""
    watch = JudgedRollout()
    assert watch.poll(*GOOD).verdict is Verdict.CONTINUE
    assert watch.poll(*GOOD).message == (
        "0 of 200 requests failed in Triton; needs requests in at least 3 polls, so far 2"
    )
    judgement = watch.poll(*GOOD)
    assert judgement.verdict is Verdict.PASS
    assert judgement.message == (
        "0 of 300 requests failed in Triton; odds over 1000000:1 that the error rate is under 5 %"
    )


def test_abort_message_has_the_counts() -> None:
    """The message has the counts of both revisions and the odds."""
    watch = JudgedRollout()
    for _ in range(3):
        assert watch.poll(*BAD).verdict is Verdict.CONTINUE
    judgement = watch.poll(*BAD)
    assert judgement.verdict is Verdict.ABORT
    assert judgement.message == (
        "120 of 400 requests failed in Triton (30 %), stable aaaa1111: 12 of 3600; odds 1800:1"
        " that it is worse; all tests together 1100:1 (abort at 100:1)"
    )
    assert (judgement.evidence.verdict, judgement.evidence.message) == ("Abort", judgement.message)


def test_canary_over_the_ceiling_is_aborted_if_there_is_no_comparison() -> None:
    """With all traffic on the canary, the ceiling alone stops it."""
    watch = JudgedRollout()
    for _ in range(3):
        watch.poll(Counts(100, 20))
    judgement = watch.poll(Counts(100, 20))
    assert judgement.verdict is Verdict.ABORT
    assert "that the error rate is over 5 % (maxErrorPercent); all tests" in judgement.message


@pytest.mark.parametrize("provider", list(MetricsProvider))
def test_one_poll_never_stops_a_rollout(provider: MetricsProvider) -> None:
    """One bad scrape is no evidence, whatever its size."""
    watch = JudgedRollout(Analysis(provider=provider))
    judgement = watch.poll(Counts(10**6, 10**6), Counts(10**7, 0))
    assert judgement.verdict is Verdict.CONTINUE
    assert watch.poll(Counts(10**6, 10**6), Counts(10**7, 0)).verdict is Verdict.CONTINUE
    assert watch.poll(Counts(10**6, 10**6), Counts(10**7, 0)).verdict is Verdict.ABORT


@pytest.mark.parametrize("bake", [False, True])
@pytest.mark.parametrize("size", [1, 10, 1000, 10**9])
def test_a_single_poll_of_any_size_never_stops_a_rollout(size: int, *, bake: bool) -> None:
    """This holds after any number of good polls."""
    watch = JudgedRollout(bake=bake)
    watch.poll(*GOOD)
    assert watch.poll(Counts(size, size), Counts(size, 0)).verdict is not Verdict.ABORT
    assert watch.poll(NOTHING, NOTHING).verdict is not Verdict.ABORT


def test_one_error_never_stops_a_rollout() -> None:
    """Not even against a million good requests of stable, poll after poll."""
    watch = JudgedRollout()
    verdicts = {watch.poll(Counts(1, 1), Counts(10**6, 0)).verdict}
    verdicts |= {watch.poll(NOTHING, Counts(10**6, 0)).verdict for _ in range(10)}
    assert verdicts == {Verdict.CONTINUE}


def test_a_good_day_does_not_hide_what_comes_after_it() -> None:
    """After an equal day, a canary with errors in a third of its requests is stopped."""
    watch = JudgedRollout()
    for _ in range(10):
        verdict = watch.poll(Counts(57_600, 576), Counts(518_400, 5184)).verdict
        assert verdict is not Verdict.ABORT
    late = 1
    while watch.poll(*BAD).verdict is not Verdict.ABORT:
        late += 1
    assert late <= 12


def test_no_request_is_neither_good_nor_bad() -> None:
    """Hours without requests neither pass nor stop, and their start is stored."""
    watch = JudgedRollout()
    verdicts = {watch.poll(NOTHING, Counts(100, 2)).verdict for _ in range(100)}
    assert verdicts == {Verdict.NO_DATA}
    assert watch.evidence.no_data_since == BEGIN + 15
    assert watch.evidence.message == "No request yet in Triton"
    assert watch.poll(*GOOD).verdict is Verdict.CONTINUE
    assert watch.evidence.no_data_since is None


def test_counters_that_do_not_exist_are_named() -> None:
    """The message names the missing counters and the remedy."""
    watch = JudgedRollout(Analysis())
    watch.instead = {Source.TRITON: measured()}
    judgement = watch.poll(*GOOD)
    assert judgement.verdict is Verdict.NO_DATA
    assert 'pod=~"digits-bbbb2222-.*"' in judgement.message
    assert "PodMonitor" in judgement.message
    watch.instead = {Source.ROUTER: measured()}
    assert "ml_digits-bbbb2222_8000" in watch.poll(*GOOD).message


def test_a_canary_that_is_not_scraped_any_more_does_not_pass() -> None:
    """Old evidence does not pass a canary without current samples."""
    watch = JudgedRollout()
    for _ in range(2):
        watch.poll(*GOOD)
    old = {key: list(samples) for key, samples in watch.points.items()}
    verdicts = []
    for _ in range(10):
        watch.points = {key: list(samples) for key, samples in old.items()}
        watch.now += 15
        watch.evidence = judge_poll(
            watch.evidence, watch._reading(), watch.analysis, 2, 3, watch.now
        ).evidence
        verdicts.append(watch.evidence.verdict)
    assert verdicts == ["Continue"] * 8 + ["NoData"] * 2
    assert watch.evidence.message == "The last scrape was 150 s ago in Triton"


def test_an_outage_of_prometheus_changes_nothing_and_loses_nothing() -> None:
    """Requests during the outage are counted after it."""
    watch = JudgedRollout()
    watch.poll(*GOOD)
    watch.instead = {Source.TRITON: DOWN}
    for _ in range(5):
        judgement = watch.poll(*GOOD)
        assert (judgement.verdict, judgement.message) == (Verdict.METRICS_DOWN, DOWN.message)
    assert watch.evidence.metrics_down_since == BEGIN + 30
    assert watch.evidence.sources[0].canary_requests == 100
    watch.instead = {}
    watch.poll(*GOOD)
    assert watch.evidence.metrics_down_since is None
    assert watch.evidence.sources[0].canary_requests == 700


def test_either_source_may_stop_a_rollout() -> None:
    """Errors that a Python model returns are successes in Triton but errors at the router."""
    watch = JudgedRollout(Analysis())
    for _ in range(3):
        judgement = watch.poll(Counts(100, 0), Counts(900, 0), router=Counts(100, 40))
        assert judgement.verdict is Verdict.CONTINUE
    judgement = watch.poll(Counts(100, 0), Counts(900, 0), router=Counts(100, 40))
    assert judgement.verdict is Verdict.ABORT
    assert "160 of 400 requests failed at the router" in judgement.message


def test_one_source_may_stop_a_rollout_while_the_other_is_down() -> None:
    """A stop does not wait for the other source."""
    watch = JudgedRollout(Analysis(), instead={Source.ROUTER: DOWN})
    for _ in range(3):
        assert watch.poll(*BAD).verdict is Verdict.METRICS_DOWN
    assert watch.poll(*BAD).verdict is Verdict.ABORT


def test_both_sources_must_pass() -> None:
    """Without the canary's requests at the router the step does not pass."""
    watch = JudgedRollout(Analysis())
    for _ in range(5):
        judgement = watch.poll(*GOOD, router=NOTHING)
    assert judgement.verdict is Verdict.NO_DATA
    watch.poll(*GOOD)
    watch.poll(*GOOD)
    judgement = watch.poll(*GOOD)
    assert judgement.verdict is Verdict.PASS
    assert "at the router and 0 of 800 requests failed in Triton" in judgement.message


def test_a_suspected_canary_may_not_advance() -> None:
    """A rate under 5 % does not pass while it is suspected to be worse than stable's."""
    watch = JudgedRollout()
    for errors in (1, 1, 1, 0):
        judgement = watch.poll(Counts(500, errors), Counts(4500, 0))
    assert judgement.verdict is Verdict.CONTINUE
    assert "held because the odds against it" in judgement.message


def test_few_requests_do_not_pass() -> None:
    """`minRequests` applies even with a complete certificate."""
    watch = JudgedRollout(Analysis(provider=MetricsProvider.NONE, min_requests=1000))
    for _ in range(5):
        judgement = watch.poll(*GOOD)
    assert judgement.verdict is Verdict.CONTINUE
    assert judgement.message.endswith("needs at least 1000 requests")


def test_a_certificate_names_what_is_missing() -> None:
    """The message says that thirty clean requests do not exclude 5 %."""
    watch = JudgedRollout()
    for _ in range(3):
        judgement = watch.poll(Counts(10, 0), Counts(90, 0))
    assert judgement.verdict is Verdict.CONTINUE
    assert judgement.message.endswith(
        "odds 3.3:1 that the error rate is under 5 % (20:1 required)"
    )


def test_an_outage_of_both_is_not_the_canarys_fault() -> None:
    """With a third of errors on both, no test moves against the canary."""
    watch = JudgedRollout()
    for _ in range(20):
        judgement = watch.poll(Counts(100, 33), Counts(900, 297))
    assert judgement.verdict is Verdict.CONTINUE


def test_evidence_outlives_a_change_of_the_ceiling() -> None:
    """A new ceiling gives new rates to bet on, which start at odds of 1:1."""
    watch = JudgedRollout()
    watch.poll(*BAD)
    watch.analysis = watch.analysis.evolve(max_error_percent="30")
    assert watch.poll(*BAD).verdict is Verdict.CONTINUE
    assert len(watch.evidence.sources[0].log_abs) == 3
    assert watch.poll(*BAD).verdict is Verdict.CONTINUE
    assert watch.poll(*BAD).verdict is Verdict.ABORT


def test_a_router_declared_in_mid_rollout_is_listened_to_from_then_on() -> None:
    """The new source counts from its declaration."""
    watch = JudgedRollout()
    watch.poll(*GOOD)
    watch.analysis = Analysis()
    watch.poll(*GOOD)
    watch.poll(*GOOD)
    seen = {one.source: one.canary_requests for one in watch.evidence.sources}
    assert seen == {"Router": 100, "Triton": 300}


def test_another_number_of_steps_asks_for_the_last_certificate() -> None:
    """The levels then match no step, so the strictest is used."""
    watch = JudgedRollout(step=0)
    watch.steps = 5
    for _ in range(3):
        judgement = watch.poll(Counts(20, 0), Counts(980, 0))
    assert "under 5 %" in judgement.message


def test_the_first_step_asks_for_less() -> None:
    """The first step's harm is bounded by its weight."""
    watch = JudgedRollout(step=0)
    for _ in range(3):
        judgement = watch.poll(Counts(20, 0), Counts(980, 0))
    assert judgement.verdict is Verdict.PASS
    assert "under 10 %" in judgement.message


def test_nothing_begins_while_the_past_cannot_be_read() -> None:
    """The levels are fixed for the whole rollout, so they wait for the baseline."""
    history = History(request(), {Source.TRITON: DOWN, Source.ROUTER: measured()})
    first = begin(Analysis(), 3, history, 10.0)
    assert (first.verdict, first.message) == ("MetricsDown", DOWN.message)
    assert counted_since(first) is None
    again = begin(Analysis(), 3, None, 25.0, previous=first)
    assert again.metrics_down_since == 10.0
    with pytest.raises(ValueError, match="no evidence yet"):
        judge_poll(first, Reading(request()), Analysis(), 0, 3, 25.0)


def test_the_past_sets_the_demands_and_the_dispersion() -> None:
    """With 0.5 % errors of stable the last level is 1.5 %."""
    minutes = tuple((60.0 * at, 1000.0 * at) for at in range(60))
    bursts = tuple((60.0 * at, 50.0 * (at // 10)) for at in range(60))
    past = measured(triton(STABLE, minutes), triton(STABLE, bursts, reason="BACKEND"))
    analysis = Analysis(provider=MetricsProvider.NONE)
    begun = begin(analysis, 3, History(request(), {Source.TRITON: past}), 4000.0)
    assert begun.levels == pytest.approx((0.05, 0.025, 0.0127), abs=1e-3)
    assert begun.sources[0].dispersion == pytest.approx(48.8, abs=0.1)
    assert begun.sources[0].dispersion_differences == 10
    assert begun.sources[0].watermark == 4000.0


def test_the_evidence_is_small() -> None:
    """The evidence is in the status, which every watcher receives."""
    watch = JudgedRollout(Analysis(), bake=True)
    for _ in range(5):
        watch.poll(*BAD)
    assert len(watch.evidence.model_dump_json()) < 3000
