"""The array implementation of the simulation gives the same results as the judge."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest

from bench.rollouts import rule
from bench.rollouts.traffic import past as past_of
from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.baseline import Baseline, summarize_minutes
from halimede.judge.evidence import initial_evidence
from halimede.judge.judge import judge_poll
from halimede.judge.reading import (
    Answer,
    CounterSamples,
    Counts,
    Reading,
    Series,
    counted_since,
    sources,
)
from halimede.judge.thresholds import limits
from tests.support.series import CANARY, STABLE, envoy, request, triton

PATHS = 150
"""Paths of each kind of settings."""
POLLS = 36
BAKE_FROM = 22
BEGIN = 1000.0
NAMES = {
    Verdict.NO_DATA: rule.NO_DATA,
    Verdict.CONTINUE: rule.CONTINUE,
    Verdict.PASS: rule.PASS,
    Verdict.ABORT: rule.ABORT,
}
SETTINGS = [
    Analysis(),
    Analysis(provider=MetricsProvider.NONE, max_error_percent="1"),
    Analysis(provider=MetricsProvider.NONE, max_error_percent="30", min_requests=200),
]
COUNTED = {
    "canary": "canary_requests",
    "canary_errors": "canary_errors",
    "usual": "usual_requests",
    "usual_errors": "usual_errors",
    "usual_stable": "usual_stable_requests",
    "usual_stable_errors": "usual_stable_errors",
    "recent": "recent_requests",
    "recent_errors": "recent_errors",
    "confirming": "confirmation_requests",
    "polls": "polls",
    "polls_against": "polls_against",
    "highest_against": "highest_against",
    "last": "last_requests",
    "last_errors": "last_errors",
    "phi": "dispersion",
    "phi_differences": "dispersion_differences",
}
"""The names of the same numbers in the arrays and in the evidence."""
ROUNDED = ("recent", "recent_errors")
"""Tolerance for NumPy's different rounding of ties."""
LOGS = ("log_rel", "log_abs", "log_bake", "log_confirmation", "log_no_worse", "log_better")


@dataclass
class Came:
    """The counts of both revisions by one source."""

    canary: Counts
    stable: Counts
    scraped: bool = True
    """Whether the stable revision was scraped."""


@dataclass
class Path:
    """One rollout, judged by the product's judge."""

    analysis: Analysis
    rng: Random
    steps: int
    evidence: Evidence = field(init=False)
    totals: dict[tuple[Source, str], Counts] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw both revisions' error rates, their incidents, and the past."""
        draw = self.rng
        self.stable_errors = draw.choice((0.0, 0.001, 0.005, 0.02, 0.04, 0.1))
        self.canary_errors = self.stable_errors * draw.choice((0.2, 1, 1, 1, 3))
        self.canary_errors += draw.choice((0.0, 0.0, 0.02, 0.3))
        self.bake_errors = draw.choice((self.canary_errors, 0.03, 0.3))
        self.busy = draw.choice((0, 3, 60, 3000))
        self.control = draw.choice((0.0, 0.1, 0.5))
        self.evenness = draw.choice((0.0, 1.0))
        first = draw.randrange(POLLS)
        self.trouble = range(first, first + draw.choice((0, 3, 8)))
        self.troubled_rate = draw.choice((0.01, 0.03, 0.3))
        self.shared = draw.random() < 0.6
        blind = draw.randrange(POLLS)
        self.blind = range(blind, blind + draw.choice((0, 0, 4, 12)))
        last = limits(self.analysis).ceiling * draw.uniform(0.2, 1.0)
        levels = tuple(min(0.9, last * 2**more) for more in reversed(range(self.steps)))
        many = draw.choice((0, 200, 5000))
        known = Baseline(
            Counts(many, round(many * self.stable_errors)),
            draw.choice((1.0, 1.0, 2.5)),
            differences=60,
        )
        bounds = limits(self.analysis)
        self.evidence = Evidence(
            levels=levels,
            sources=tuple(
                initial_evidence(source, bounds, (), BEGIN, known)
                for source in sources(self.analysis)
            ),
        )

    def step(self, poll: int) -> int:
        """Move on through the steps to the bake."""
        return min(self.steps - 1, poll * self.steps // BAKE_FROM)

    def compared(self, poll: int) -> bool:
        """Whether the stable revision gets requests."""
        return poll < BAKE_FROM or self.control > 0

    def poll(self, number: int) -> list[Came]:
        """Draw requests, judge them, and return the counts by source."""
        now = BEGIN + 15.0 * (number + 1)
        seen = {source: self._came(source, number) for source in sources(self.analysis)}
        answers: dict[Source, Answer] = {
            Source(source): CounterSamples(tuple(self._series(Source(source), came, now)))
            for source, came in seen.items()
        }
        judgement = judge_poll(
            self.evidence,
            Reading(request(now, counted_since(self.evidence)), answers),
            self.analysis,
            self.step(number),
            self.steps,
            now,
            bake=number >= BAKE_FROM,
            compared=self.compared(number),
        )
        self.evidence = judgement.evidence
        self.verdicts.append(judgement.verdict)
        return list(seen.values())

    def _came(self, source: str, number: int) -> Came:
        bake, trouble = number >= BAKE_FROM, number in self.trouble
        many = self.rng.choice((0, 1, 1, 2)) * self.busy
        canary, stable = self.bake_errors if bake else self.canary_errors, self.stable_errors
        if trouble:
            stable = max(stable, self.troubled_rate)
            canary = max(canary, self.troubled_rate) if self.shared else canary
        part = self.control / (1 - self.control) if bake else 5
        scraped = source != Source.TRITON or number not in self.blind
        return Came(
            self._failed(many, canary),
            self._failed(round(part * many), stable) if scraped else Counts(),
            scraped,
        )

    def _failed(self, requests: int, rate: float) -> Counts:
        spread = self.evenness
        errors = round(requests * rate * self.rng.uniform(1 - spread, 1 + spread))
        return Counts(requests, min(requests, errors))

    def _series(self, source: Source, came: Came, now: float) -> Iterator[Series]:
        revisions = [(CANARY, came.canary)] + [(STABLE, came.stable)] * came.scraped
        for revision, more in revisions:
            before = self.totals.get((source, revision), Counts())
            after = before + more
            self.totals[source, revision] = after
            for failed in (False, True):
                values = [
                    float(one.errors if failed else one.requests - one.errors)
                    for one in (before, after)
                ]
                points = ((now - 15, values[0]), (now, values[1]))
                if source is Source.ROUTER:
                    yield envoy(revision, points, response="5" if failed else "2")
                else:
                    yield triton(revision, points, reason="BACKEND" if failed else None)


def begun(paths: list[Path], analysis: Analysis) -> rule.EvidenceArrays:
    """Start the arrays with the product's past."""
    known = [
        [
            (one.past_requests, one.past_errors, one.dispersion, one.dispersion_differences)
            for one in path.evidence.sources
        ]
        for path in paths
    ]
    requests, errors, phi, differences = np.moveaxis(np.array(known), -1, 0)
    return rule.fresh(
        limits(analysis),
        np.array([path.evidence.levels for path in paths]),
        (requests.astype(int), errors.astype(int), phi, differences.astype(int)),
    )


def seen_in(came: list[list[Came]]) -> rule.Poll:
    """Return the counts of a poll as arrays."""
    counts = np.array(
        [
            [
                (one.canary.requests, one.canary.errors, one.stable.requests, one.stable.errors)
                for one in path
            ]
            for path in came
        ]
    )
    scraped = np.array([[one.scraped for one in path] for path in came])
    canary, canary_errors, stable, stable_errors = np.moveaxis(counts, -1, 0)
    return rule.Poll(canary, canary_errors, stable, stable_errors, scraped)


def stored(paths: list[Path], name: str, size: int) -> list[list[tuple[float, ...]]]:
    """Return logarithms of the evidence; missing ones are zero."""
    return [[_padded(one, name, size) for one in path.evidence.sources] for path in paths]


def _padded(evidence: SourceEvidence, name: str, size: int) -> tuple[float, ...]:
    logs: tuple[float, ...] = getattr(evidence, name)
    return logs + (0.0,) * (size - len(logs))


def bet_on(evidence: rule.EvidenceArrays, name: str) -> rule.Floats:
    """Return an array of logarithms, with zeros where no rate is bet on."""
    logs = getattr(evidence, name)
    if name != "log_bake":
        return np.array(logs)
    return np.where(np.isnan(rule.bake_rates(evidence.bake_ceiling)), 0.0, logs)


@pytest.mark.parametrize("analysis", SETTINGS, ids=["two sources", "strict", "lax"])
def test_arrays_agree_with_the_judge(analysis: Analysis) -> None:
    """The verdict and all evidence agree at every poll of hundreds of random paths."""
    rng = Random(7)
    paths = [Path(analysis, rng, 3) for _ in range(PATHS)]
    bounds = limits(analysis)
    evidence = begun(paths, analysis)
    met: Counter[str] = Counter()
    for number in range(POLLS):
        seen = seen_in([path.poll(number) for path in paths])
        if number == BAKE_FROM:
            evidence.bake_ceiling = np.array(
                [[one.bake_ceiling for one in path.evidence.sources] for path in paths]
            )
        rule.weigh(evidence, seen, bounds, analysis)
        step = np.array([path.step(number) for path in paths])
        compared = np.array([path.compared(number) for path in paths])
        state = rule.State(np.full(PATHS, number >= BAKE_FROM), compared)
        verdicts = rule.decide(evidence, seen, bounds, analysis, step, state).tolist()
        for mine, theirs in COUNTED.items():
            counted = [[getattr(one, theirs) for one in path.evidence.sources] for path in paths]
            assert getattr(evidence, mine) == pytest.approx(np.array(counted), abs=1.1e-3), mine
            if mine in ROUNDED:
                setattr(evidence, mine, np.array(counted))
        for name in LOGS:
            logs = bet_on(evidence, name)
            expected = np.array(stored(paths, name, logs.shape[-1]))
            assert logs == pytest.approx(expected, abs=1e-4), (name, number)
            met[name] += int((expected != 0).any(axis=(1, 2)).sum())
        assert verdicts == [NAMES[path.verdicts[-1]] for path in paths], number
        met.update(str(one) for one in verdicts)
        met.update(_met(paths, number))
    names = {*LOGS, *map(str, NAMES.values()), "aborted in the bake", "confirmed", "unconfirmed"}
    assert {name for name in names if met[name] < 3} == set()


def _met(paths: list[Path], number: int) -> Iterator[str]:
    """Return the branches of the rule that some paths took in a poll."""
    for path in paths:
        suspected = any(one.log_confirmation for one in path.evidence.sources)
        if path.verdicts[-1] is Verdict.ABORT and number >= BAKE_FROM and path.control:
            yield "aborted in the bake"
        if suspected:
            yield "confirmed" if path.verdicts[-1] is Verdict.ABORT else "unconfirmed"


def drawn(rng: Random) -> list[Counts]:
    """Draw the minutes of a past, with or without clusters, incidents and gaps."""
    usual = rng.choice((0, 3, 200, 3000))
    rate, cluster = rng.choice((0.0, 0.002, 0.02, 0.3)), rng.choice((1, 1, 5))
    first, length = rng.randrange(120), rng.choice((0, 1, 5, 70))
    minutes = []
    for at in range(120):
        requests = rng.choice((0, usual, usual, 2 * usual))
        part = 0.4 if first <= at < first + length else rate
        errors = cluster * round(requests * part / cluster * rng.uniform(0.0, 2.0))
        minutes.append(Counts(requests, min(errors, requests)))
    return minutes


def test_the_past_is_what_the_judge_makes_of_it() -> None:
    """Rate, dispersion and polls agree with clusters and incidents, few errors and many."""
    rng = Random(3)
    rows = [drawn(rng) for _ in range(200)]
    requests = np.array([[one.requests for one in row] for row in rows])
    errors = np.array([[one.errors for one in row] for row in rows])
    expected = [summarize_minutes(row) for row in rows]
    result = past_of(requests, errors)
    assert result[0].tolist() == [one.counts.requests for one in expected]
    assert result[1].tolist() == [one.counts.errors for one in expected]
    assert result[2].tolist() == pytest.approx([one.dispersion for one in expected], abs=2e-6)
    assert result[3].tolist() == [one.differences for one in expected]
    everything = [sum(one.requests for one in row) for row in rows]
    left_out = sum(
        one.counts.requests < all_ for one, all_ in zip(expected, everything, strict=True)
    )
    assert 20 < left_out < 150
