"""The simulation of the acceptance figures rests on arrays; they say what the judge says."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import numpy as np
import pytest

from bench.rollouts import rule
from bench.rollouts.traffic import dispersion
from halimede.api.rollout import Analysis, MetricsProvider
from halimede.api.status import Evidence
from halimede.judge import past
from halimede.judge.judge import judge
from halimede.judge.limits import limits
from halimede.judge.past import Past
from halimede.judge.reading import (
    Answer,
    Counts,
    Measured,
    Reading,
    Series,
    Source,
    since,
    sources,
)
from halimede.judge.verdict import Verdict
from halimede.judge.weigh import fresh
from tests.support.series import CANARY, STABLE, envoy, request, triton

PATHS = 200
"""Of each kind of settings."""
POLLS = 24
BAKE_FROM = 15
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


@dataclass
class Path:
    """One rollout, as the product's judge sees it."""

    analysis: Analysis
    rng: Random
    steps: int
    evidence: Evidence = field(init=False)
    totals: dict[tuple[Source, str], Counts] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw how good both are, and what is known of the past."""
        self.stable_errors = self.rng.choice((0.0, 0.001, 0.005, 0.02, 0.1))
        self.canary_errors = self.stable_errors * self.rng.choice((1, 1, 1, 3)) + self.rng.choice(
            (0.0, 0.0, 0.02)
        )
        self.bake_errors = self.rng.choice((self.canary_errors, 0.03, 0.3))
        self.busy = self.rng.choice((0, 3, 60, 3000))
        levels = tuple(sorted(self.rng.uniform(0.01, 0.2) for _ in range(self.steps))[::-1])
        bounds = limits(self.analysis)
        known = Past(Counts(self.rng.randrange(5000), 0), self.rng.choice((1.0, 1.0, 2.5)))
        self.evidence = Evidence(
            levels=levels,
            sources=tuple(
                fresh(source, bounds, levels, BEGIN, known) for source in sources(self.analysis)
            ),
        )

    def step(self, poll: int) -> int:
        """Rise through the steps until the bake."""
        return min(self.steps - 1, poll * self.steps // BAKE_FROM)

    def poll(self, number: int) -> dict[Source, tuple[Counts, Counts]]:
        """Let some requests come, ask the judge, and tell what came on both revisions."""
        now = BEGIN + 15.0 * (number + 1)
        bake = number >= BAKE_FROM
        seen = {source: self._came(bake=bake) for source in sources(self.analysis)}
        answers: dict[Source, Answer] = {
            source: Measured(tuple(self._series(source, came, now)))
            for source, came in seen.items()
        }
        judgement = judge(
            self.evidence,
            Reading(request(now, since(self.evidence)), answers),
            self.analysis,
            self.step(number),
            self.steps,
            now,
            bake=bake,
        )
        self.evidence = judgement.evidence
        self.verdicts.append(judgement.verdict)
        return seen

    def _came(self, *, bake: bool) -> tuple[Counts, Counts]:
        many = self.rng.choice((0, 1, 1, 2)) * self.busy
        canary = self._failed(many, self.bake_errors if bake else self.canary_errors)
        outage = self.rng.random() < 0.1
        stable = self._failed(0 if bake else 5 * many, 0.5 if outage else self.stable_errors)
        return canary, stable

    def _failed(self, requests: int, rate: float) -> Counts:
        errors = round(requests * rate * self.rng.uniform(0.0, 2.0))
        return Counts(requests, min(requests, errors))

    def _series(self, source: Source, came: tuple[Counts, Counts], now: float) -> Iterator[Series]:
        for revision, more in zip((CANARY, STABLE), came, strict=True):
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


@pytest.mark.parametrize("analysis", SETTINGS, ids=["two sources", "strict", "lax"])
def test_the_arrays_say_what_the_judge_says(analysis: Analysis) -> None:
    """On hundreds of random paths, at every poll: the verdict, and the evidence to the digit."""
    rng = Random(7)
    paths = [Path(analysis, rng, 3) for _ in range(PATHS)]
    bounds = limits(analysis)
    phi = np.array([[one.dispersion for one in path.evidence.sources] for path in paths])
    levels = np.array([path.evidence.levels for path in paths])
    held = rule.fresh(bounds, levels, phi)
    said = []
    for number in range(POLLS):
        seen = [list(path.poll(number).values()) for path in paths]
        if number == BAKE_FROM:
            held.bake_ceiling = np.array(
                [[one.bake_ceiling for one in path.evidence.sources] for path in paths]
            )
        counts = np.array(
            [
                [
                    (canary.requests, canary.errors, stable.requests, stable.errors)
                    for canary, stable in one
                ]
                for one in seen
            ]
        )
        rule.weigh(held, rule.Poll(*np.moveaxis(counts, -1, 0)), bounds)
        step = np.array([path.step(number) for path in paths])
        baking = np.full(PATHS, number >= BAKE_FROM)
        verdicts = rule.decide(held, bounds, analysis, step, baking).tolist()
        assert verdicts == [NAMES[path.verdicts[-1]] for path in paths]
        said += verdicts
    assert set(Counter(said)) == set(NAMES.values())
    for name in ("log_rel", "log_abs"):
        stored = [[getattr(one, name) for one in path.evidence.sources] for path in paths]
        assert getattr(held, name) == pytest.approx(np.array(stored), abs=1e-4)


def test_the_dispersion_is_the_judges() -> None:
    """Over bins with and without requests, with few errors and with many."""
    rng = Random(3)
    rows = [
        [Counts(many, rng.randrange(many + 1) // hard) for many in rng.choices(range(200), k=30)]
        for hard in (1, 5, 20, 400)
        for _ in range(10)
    ]
    requests = np.array([[one.requests for one in row] for row in rows])
    errors = np.array([[one.errors for one in row] for row in rows])
    expected = [past.dispersion(row) for row in rows]
    assert dispersion(requests, errors).tolist() == pytest.approx(expected, abs=2e-6)
