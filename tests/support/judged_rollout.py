"""A rollout that is judged every 15 s by counters that a test increments."""

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
    """By source, revision, and the router's class of the response."""
    instead: dict[Source, Answer] = field(default_factory=dict)
    """Answers that replace those of a source."""
    past: dict[Source, Answer] = field(default_factory=dict)
    """Answers of a source about stable before the rollout."""
    unscraped: set[tuple[Source, str]] = field(default_factory=set)
    """Sources and revisions whose counters grow but are not scraped."""
    totals: dict[tuple[Source, str, str], float] = field(default_factory=dict)
    """The current values of the counters."""
    bake: bool = False
    pre_traffic: bool = False
    compared: bool = True

    def __post_init__(self) -> None:
        """Start with `past`, or with an empty past."""
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
        """Let 15 s pass with these requests, and judge them.

        Args:
            canary: The canary's, in Triton and, without *router*, at the router.
            stable: The stable revision's.
            router: The canary's at the router, if they differ.
            stable_router: The stable revision's at the router, if they differ.
            client_errors: How many of the requests without an error at the router were client
                errors: the canary's, and the stable revision's.
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
            pre_traffic=self.pre_traffic,
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
        by_source: dict[Source, list[Series]] = {source: [] for source in Source}
        for (source, revision, response), samples in self.points.items():
            points = tuple((one.at, one.value) for one in samples)
            if source is Source.ROUTER:
                by_source[source].append(envoy(revision, points, response=response))
            elif response != "4":
                reason = "BACKEND" if response == "5" else None
                by_source[source].append(triton(revision, points, reason=reason))
        answers: dict[Source, Answer] = {
            source: CounterSamples(tuple(series)) for source, series in by_source.items()
        }
        return Reading(request(self.now, counted_since(self.evidence)), answers | self.instead)

    def source_evidence(self, source: Source = Source.TRITON) -> SourceEvidence:
        """Return the evidence of a source so far."""
        return next(one for one in self.evidence.sources if one.source == source)


def usual(errors: int, requests: int = 120_000) -> CounterSamples:
    """Return two hours in which stable had this many errors in Triton, evenly spread."""
    good, bad = (requests - errors) / 120, errors / 120
    minutes = range(121)
    return measured(
        triton(STABLE, tuple((60.0 * at, round(good * at)) for at in minutes)),
        triton(STABLE, tuple((60.0 * at, round(bad * at)) for at in minutes), reason="BACKEND"),
    )


GOOD = (Counts(100, 0), Counts(900, 0))
BAD = (Counts(100, 30), Counts(900, 3))
