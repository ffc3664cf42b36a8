"""A rollout that the judge looks at every 15 s, over counters that a test lets grow."""

from dataclasses import dataclass, field

from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.api.status import Evidence, SourceEvidence
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.reading import (
    Answer,
    CounterSamples,
    Counts,
    History,
    Reading,
    Sample,
    Series,
    Unavailable,
    counted_since,
)
from halimede.judge.verdict import Judgement
from tests.support.series import CANARY, STABLE, envoy, measured, request, triton

BEGIN = 1000.0
NOTHING = Counts()
DOWN = Unavailable(UnavailableReason.UNREACHABLE, "Prometheus did not answer: check its address")


@dataclass
class JudgedRollout:
    """A rollout that is judged poll by poll, its evidence stored as JSON in between."""

    analysis: Analysis = field(default_factory=lambda: Analysis(provider=MetricsProvider.NONE))
    step: int = 2
    steps: int = 3
    now: float = BEGIN
    evidence: Evidence = field(default_factory=Evidence)
    points: dict[tuple[Source, str, str], list[Sample]] = field(default_factory=dict)
    """By source, revision, and class of the response as the router has it."""
    instead: dict[Source, Answer] = field(default_factory=dict)
    """What a source answers instead."""
    past: dict[Source, Answer] = field(default_factory=dict)
    """What a source tells of stable before the rollout, if anything."""
    unscraped: set[tuple[Source, str]] = field(default_factory=set)
    """Revisions whose counters by a source go on, but are not scraped meanwhile."""
    totals: dict[tuple[Source, str, str], float] = field(default_factory=dict)
    """What those counters stand at."""
    bake: bool = False
    rehearsal: bool = False
    compared: bool = True

    def __post_init__(self) -> None:
        """Begin, with a past that tells nothing if there is no other."""
        self.evidence = begin(
            self.analysis,
            self.steps,
            History(request(), {source: measured() for source in Source} | self.past),
            self.now,
        )
        self._scrape({}, {})

    def poll(
        self,
        canary: Counts = NOTHING,
        stable: Counts = NOTHING,
        *,
        router: Counts | None = None,
        stable_router: Counts | None = None,
        client_errors: tuple[int, int] = (0, 0),
    ) -> Judgement:
        """Let 15 s pass in which so much happened.

        Args:
            canary: Of the canary, in Triton and, without *router*, at the router.
            stable: Of the stable revision.
            router: What the router saw of the canary, if that was something else.
            stable_router: The same of the stable revision.
            client_errors: How many of the canary's requests at the router that are no errors, and
                of the stable revision's, were client errors.
        """
        self.now += 15
        seen = {(Source.TRITON, CANARY): canary, (Source.TRITON, STABLE): stable}
        seen |= {
            (Source.ROUTER, CANARY): canary if router is None else router,
            (Source.ROUTER, STABLE): stable if stable_router is None else stable_router,
        }
        self._scrape(seen, dict(zip((CANARY, STABLE), client_errors, strict=True)))
        judgement = judge_poll(
            self.evidence,
            self._reading(),
            self.analysis,
            self.step,
            self.steps,
            self.now,
            bake=self.bake,
            rehearsal=self.rehearsal,
            compared=self.compared,
        )
        self.evidence = Evidence.model_validate(judgement.evidence.to_manifest())
        return judgement

    def _scrape(
        self, seen: dict[tuple[Source, str], Counts], client_errors: dict[str, int]
    ) -> None:
        for source in (Source.ROUTER, Source.TRITON):
            for revision in (STABLE, CANARY):
                more = seen.get((source, revision), NOTHING)
                blamed = client_errors.get(revision, 0) if source is Source.ROUTER else 0
                good = more.requests - more.errors - blamed
                for response, added in (("2", good), ("4", blamed), ("5", more.errors)):
                    counter = (source, revision, response)
                    self.totals[counter] = self.totals.get(counter, 0.0) + added
                    if (source, revision) not in self.unscraped:
                        points = self.points.setdefault(counter, [])
                        points.append(Sample(self.now, self.totals[counter]))

    def _reading(self) -> Reading:
        found: dict[Source, list[Series]] = {source: [] for source in Source}
        for (source, revision, response), samples in self.points.items():
            points = tuple((one.at, one.value) for one in samples)
            if source is Source.ROUTER:
                found[source].append(envoy(revision, points, response=response))
            elif response != "4":
                reason = "BACKEND" if response == "5" else None
                found[source].append(triton(revision, points, reason=reason))
        answers: dict[Source, Answer] = {
            source: CounterSamples(tuple(series)) for source, series in found.items()
        }
        return Reading(request(self.now, counted_since(self.evidence)), answers | self.instead)

    def held(self, source: Source = Source.TRITON) -> SourceEvidence:
        """Say what a source has shown so far."""
        return next(one for one in self.evidence.sources if one.source == source)


def usual(errors: int, requests: int = 120_000) -> CounterSamples:
    """Tell of two hours in which stable had so many errors in Triton, evenly."""
    good, bad = (requests - errors) / 120, errors / 120
    minutes = range(121)
    return measured(
        triton(STABLE, tuple((60.0 * at, round(good * at)) for at in minutes)),
        triton(STABLE, tuple((60.0 * at, round(bad * at)) for at in minutes), reason="BACKEND"),
    )


GOOD = (Counts(100, 0), Counts(900, 0))
BAD = (Counts(100, 30), Counts(900, 3))
