"""Objectives by custom queries."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from halimede.api.analysis import Analysis, Metric, MetricsProvider, QueryPair
from halimede.api.query import UnusableQueryError
from halimede.api.reasons import UnavailableReason, Verdict
from halimede.api.sources import Source
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.custom_queries import due_queries, parse_scalar, render_query, to_counts
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.reading import (
    Counts,
    CustomCounts,
    DueQuery,
    History,
    Reading,
    Unavailable,
    counted_since,
)
from halimede.judge.verdict import Judgement
from tests.support.series import CANARY, STABLE, measured, request, triton

SEEN, WRONG = "seen{r='{{ revision }}'}[{{ window }}]", "wrong{r='{{ revision }}'}[{{ window }}]"
ACCURACY = Metric(name="accuracy", requests=SEEN, errors=WRONG, max_error_percent="20")
ANALYSIS = Analysis(provider=MetricsProvider.NONE, metrics=(ACCURACY,))
SOURCE = "metrics/accuracy"
BEGIN = 1000.0


@dataclass
class Watch:
    """A rollout that is judged every 15 s by Triton's counters and an objective."""

    analysis: Analysis = ANALYSIS
    now: float = BEGIN
    past: Counts | None = None
    evidence: Evidence = field(default_factory=Evidence)
    requests: float = 0.0
    windows: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with a past."""
        history = History(
            request(BEGIN, None),
            {
                Source.TRITON: measured(triton(STABLE, ((0.0, 0.0), (900.0, 5000.0)))),
                SOURCE: CustomCounts(self.past, None),
            },
        )
        self.evidence = begin(self.analysis, 3, history, self.now)

    def poll(
        self, canary: Counts | None, stable: Counts | None = None, *, step: int = 0
    ) -> Judgement:
        """Let 15 s pass with 100 requests in Triton; answer this to any query."""
        self.now += 15
        self.requests += 100
        asked = due_queries(self.analysis, self.evidence, self.now)
        self.windows += [one.window for one in asked]
        points = ((BEGIN, 0.0), (self.now - 15, self.requests - 100), (self.now, self.requests))
        answers: dict[str, Any] = {
            Source.TRITON: measured(triton(CANARY, points), triton(STABLE, points))
        }
        answers |= {one.source: CustomCounts(stable, canary) for one in asked}
        asked_for = replace(request(self.now, counted_since(self.evidence)), indicators=asked)
        judgement = judge_poll(
            self.evidence, Reading(asked_for, answers), self.analysis, step, 3, self.now
        )
        self.evidence = Evidence.model_validate(judgement.evidence.to_manifest())
        return judgement

    @property
    def source_evidence(self) -> SourceEvidence:
        """The objective's evidence."""
        return next(one for one in self.evidence.sources if one.source == SOURCE)


def test_windows_follow_each_other_without_gap_or_overlap() -> None:
    """With polls every 15 s, queries are sent every 60 s about the last 60 s."""
    watch = Watch()
    for _ in range(9):
        watch.poll(Counts(10, 1), Counts(30, 3))
    assert watch.windows == [60.0, 60.0]
    assert (watch.source_evidence.canary_requests, watch.source_evidence.canary_errors) == (20, 2)
    assert watch.source_evidence.watermark == BEGIN + 120


def test_a_window_without_an_answer_is_taken_into_the_next() -> None:
    """The canary's series starts with its first request, and later windows include it."""
    watch = Watch()
    for _ in range(4):
        judgement = watch.poll(None, Counts(30, 3))
    assert judgement.verdict is Verdict.NO_DATA
    assert "spec.rollout.analysis.metrics.accuracy.requests returns nothing" in judgement.message
    watch.poll(Counts(5, 0), Counts(40, 4))
    assert watch.windows == [60.0, 75.0]
    assert (watch.source_evidence.canary_requests, watch.source_evidence.stable_requests) == (
        5,
        40,
    )


def test_before_the_first_window_is_over_nothing_is_missing() -> None:
    """An unfinished first window is not missing data."""
    watch = Watch()
    judgement = [watch.poll(Counts(10, 0)) for _ in range(3)][-1]
    assert watch.windows == []
    assert judgement.verdict is Verdict.CONTINUE
    assert "No requests according to the metric accuracy" in judgement.message


def test_nothing_passes_before_the_objective_is_met() -> None:
    """Triton's counters alone would have let it pass after three polls."""
    watch = Watch(past=Counts(10_000, 1000))
    verdicts = [watch.poll(Counts(100, 5), Counts(100, 10)).verdict for _ in range(12)]
    assert verdicts[:11] == [Verdict.CONTINUE] * 11
    assert verdicts[11] is Verdict.PASS
    assert watch.source_evidence.polls == 3


def test_an_objective_stops_by_itself() -> None:
    """A canary is stopped by the objective alone, though Triton counts no errors."""
    watch = Watch()
    judgements = [watch.poll(Counts(50, 25), Counts(50, 5)) for _ in range(16)]
    assert [one.verdict for one in judgements] == [Verdict.CONTINUE] * 15 + [Verdict.ABORT]
    assert judgements[-1].message == (
        "100 of 200 requests failed according to the metric accuracy (50 %); odds 3800:1 that the"
        " error rate is over 20 % (maxErrorPercent); all tests together 1200:1 (abort at 100:1)"
    )


def test_an_objective_that_is_missed_by_both_stops_nothing() -> None:
    """If half of stable's answers are wrong too, the canary is not stopped."""
    watch = Watch()
    verdicts = [watch.poll(Counts(50, 25), Counts(50, 25)).verdict for _ in range(40)]
    assert set(verdicts) == {Verdict.CONTINUE}


def test_an_objective_has_its_own_ceiling_and_demands() -> None:
    """10 % is under the objective's ceiling of 20 % and does not affect other sources."""
    watch = Watch(past=Counts(10_000, 1000))
    assert watch.evidence.levels == (0.04, 0.02, 0.01)
    assert watch.source_evidence.levels == (0.2, 0.2, 0.2)
    for _ in range(40):
        judgement = watch.poll(Counts(50, 5), Counts(50, 5))
    assert judgement.verdict is Verdict.PASS


def test_an_objective_may_be_added_in_mid_rollout() -> None:
    """A new objective starts without a past."""
    watch = Watch(analysis=Analysis(provider=MetricsProvider.NONE))
    watch.poll(None)
    watch.analysis = ANALYSIS
    for _ in range(5):
        watch.poll(Counts(10, 0), Counts(10, 0))
    assert watch.source_evidence.begun_at == BEGIN + 30
    assert watch.windows == [60.0]
    assert watch.source_evidence.levels == (0.2, 0.2, 0.2)


def test_an_objective_that_cannot_be_read_is_metrics_down() -> None:
    """An unreadable objective gives MetricsDown, as for every source."""
    watch = Watch()
    asked = (DueQuery(SOURCE, SEEN, WRONG, 60.0),)
    down = Unavailable(
        UnavailableReason.REJECTED, "metrics/accuracy counters: Prometheus rejected the query"
    )
    answers = {Source.TRITON: measured(), SOURCE: down}
    reading = Reading(replace(request(BEGIN + 60), indicators=asked), answers)
    judgement = judge_poll(watch.evidence, reading, ANALYSIS, 0, 3, BEGIN + 60)
    assert (judgement.verdict, judgement.message) == (Verdict.METRICS_DOWN, down.message)


def test_a_custom_router_is_judged_as_a_router_is() -> None:
    """A custom router also has its own windows."""
    queries = QueryPair(requests=SEEN, errors=WRONG)
    analysis = Analysis(provider=MetricsProvider.CUSTOM, router=queries)
    evidence = Evidence(
        levels=(0.05,),
        sources=tuple(
            SourceEvidence(source=one, begun_at=BEGIN, watermark=BEGIN)
            for one in (Source.ROUTER, Source.TRITON)
        ),
    )
    assert due_queries(analysis, evidence, BEGIN + 59) == ()
    (asked,) = due_queries(analysis, evidence, BEGIN + 61)
    assert (asked.source, asked.window) == ("Router", 61.0)


def test_the_past_is_asked_at_once() -> None:
    """One query reads two hours of the stable revision."""
    assert [one.window for one in due_queries(ANALYSIS, None, BEGIN)] == [7200.0]
    assert render_query(SEEN, request(), STABLE, 7200.0) == "seen{r='aaaa1111'}[7200s]"


def test_unanswered_windows_grow_to_six_hours_at_most() -> None:
    """Unanswered windows do not lengthen the queries of other sources."""
    watch = Watch()
    (asked,) = due_queries(ANALYSIS, watch.evidence, BEGIN + 1e6)
    assert asked.window == 21600.0
    watch.poll(None)
    assert counted_since(watch.evidence) == BEGIN + 15


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ([], None),
        ([{"metric": {}, "value": [1.5, "2.6"]}], 2.6),
        ([{"metric": {}, "value": [1.5, "NaN"]}], None),
        ([{"metric": {}, "value": [1.5, "+Inf"]}], None),
        ([1.5, "7"], 7.0),
    ],
)
def test_an_answer_is_one_number_or_none(result: Any, expected: float | None) -> None:
    """A vector of one or a scalar; 0/0 and x/0 are no numbers."""
    assert parse_scalar(result) == expected


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ([{"value": [1, "2"]}, {"value": [1, "3"]}], "2 series"),
        ([{"metric": {}, "values": [[1, "2"]]}], "not a number"),
        ([1.5, "text"], "the text 'text'"),
    ],
)
def test_no_series_is_picked_from_several(result: Any, words: str) -> None:
    """An answer with several series is ambiguous and is rejected."""
    with pytest.raises(UnusableQueryError, match=words) as rejected:
        parse_scalar(result)
    assert rejected.value.cure


@pytest.mark.parametrize(
    ("requests", "errors", "expected"),
    [
        (2.67, 1.33, Counts(3, 1)),
        (2.67, None, Counts(3, 0)),
        (2.4, 2.6, Counts(2, 2)),
        (0.0, None, Counts(0, 0)),
        (-1.0, -1.0, Counts(0, 0)),
        (None, 3.0, None),
    ],
)
def test_numbers_are_rounded_to_whole_requests(
    requests: float | None, errors: float | None, expected: Counts | None
) -> None:
    """Errors are at most the requests; without requests there is no answer."""
    assert to_counts(requests, errors) == expected
