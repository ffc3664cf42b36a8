"""A rollout that the judge looks at every 15 s, over counters that a test lets grow."""

from dataclasses import dataclass, field

from halimede.api.rollout import Analysis, MetricsProvider
from halimede.api.status import Evidence
from halimede.judge.judge import begin, judge
from halimede.judge.reading import (
    Answer,
    Counts,
    History,
    Measured,
    Reading,
    Sample,
    Series,
    Source,
    Unavailable,
    Why,
    since,
)
from halimede.judge.verdict import Judgement
from tests.support.series import CANARY, STABLE, envoy, measured, request, triton

BEGIN = 1000.0
NOTHING = Counts()
DOWN = Unavailable(Why.UNREACHABLE, "Prometheus did not answer: check its address")


@dataclass
class Watch:
    """A rollout that is judged poll by poll, its evidence stored as JSON in between."""

    analysis: Analysis = field(default_factory=lambda: Analysis(provider=MetricsProvider.NONE))
    step: int = 2
    steps: int = 3
    now: float = BEGIN
    evidence: Evidence = field(default_factory=Evidence)
    points: dict[tuple[Source, str, bool], list[Sample]] = field(default_factory=dict)
    instead: dict[Source, Answer] = field(default_factory=dict)
    """What a source answers instead."""
    bake: bool = False
    rehearsal: bool = False

    def __post_init__(self) -> None:
        """Begin with a past that tells nothing."""
        self.evidence = begin(
            self.analysis,
            self.steps,
            History(request(), {source: measured() for source in Source}),
            self.now,
        )
        self._scrape({})

    def poll(
        self,
        canary: Counts = NOTHING,
        stable: Counts = NOTHING,
        *,
        router: Counts | None = None,
    ) -> Judgement:
        """Let 15 s pass in which so much happened; *router* if it saw another canary."""
        self.now += 15
        seen = {(Source.TRITON, CANARY): canary, (Source.TRITON, STABLE): stable}
        seen |= {
            (Source.ROUTER, CANARY): canary if router is None else router,
            (Source.ROUTER, STABLE): stable,
        }
        self._scrape(seen)
        judgement = judge(
            self.evidence,
            self._reading(),
            self.analysis,
            self.step,
            self.steps,
            self.now,
            bake=self.bake,
            rehearsal=self.rehearsal,
        )
        self.evidence = Evidence.model_validate(judgement.evidence.to_manifest())
        return judgement

    def _scrape(self, seen: dict[tuple[Source, str], Counts]) -> None:
        for source in Source:
            for revision in (STABLE, CANARY):
                more = seen.get((source, revision), NOTHING)
                for failed in (False, True):
                    points = self.points.setdefault((source, revision, failed), [])
                    last = points[-1].value if points else 0.0
                    added = more.errors if failed else more.requests - more.errors
                    points.append(Sample(self.now, last + added))

    def _reading(self) -> Reading:
        found: dict[Source, list[Series]] = {source: [] for source in Source}
        for (source, revision, failed), samples in self.points.items():
            points = tuple((one.at, one.value) for one in samples)
            if source is Source.ROUTER:
                one = envoy(revision, points, response="5" if failed else "2")
            else:
                one = triton(revision, points, reason="BACKEND" if failed else None)
            found[source].append(one)
        answers: dict[Source, Answer] = {
            source: Measured(tuple(series)) for source, series in found.items()
        }
        return Reading(request(self.now, since(self.evidence)), answers | self.instead)


GOOD = (Counts(100, 0), Counts(900, 0))
BAD = (Counts(100, 30), Counts(900, 3))
