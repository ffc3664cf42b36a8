"""A rollout judged by a real Prometheus."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pprint import pformat

from halimede.adapters.prometheus import PrometheusReader
from halimede.api.analysis import Analysis, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source, SourceId
from halimede.api.status import Evidence
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.providers.registry import find_provider as provider_of
from halimede.judge.queries import plan_queries
from halimede.judge.reading import (
    Answer,
    CounterSamples,
    Counts,
    MetricsRequest,
    Reading,
    counted_since,
)
from tests.support.series import CANARY, request
from tests.support.waiting import wait_until_async

Clock = Callable[[], float]
STEPS = 3


class Judged:
    """A rollout that can be judged at any time."""

    def __init__(
        self,
        metrics: PrometheusReader,
        clock: Clock,
        provider: MetricsProvider = MetricsProvider.CONTOUR,
    ) -> None:
        """Start without evidence."""
        self.metrics = metrics
        self.clock = clock
        self.analysis = Analysis(provider=provider)
        self.evidence = Evidence()
        self.last: Reading | None = None

    async def reading(self) -> Reading:
        """Query what is not counted yet, or the past."""
        now = self.clock()
        latency = self.analysis.latency
        slow_after = latency.threshold_milliseconds if latency else None
        metrics_request = request(
            now, counted_since(self.evidence), provider=self.analysis.provider
        )
        return await self.metrics.read(
            plan_queries(replace(metrics_request, slow_after=slow_after))
        )

    async def begin(self) -> None:
        """Start when both sources have both revisions; return when a later scrape is there.

        A sample has the time at which its scrape began. On a loaded machine, a page that is read
        later may show what a test has counted since, as if that had been before the start.
        """
        await wait_until_async(self._scraped, lambda owners: all(len(one) == 2 for one in owners))
        self.evidence = Evidence()
        assert not await self.says_no()
        started = self.clock()
        await wait_until_async(self._last_scrape, lambda moment: moment > started)

    async def says_no(self) -> bool:
        """Start if that is possible."""
        history = (await self.reading()).history
        self.evidence = begin(self.analysis, STEPS, history, self.clock())
        return counted_since(self.evidence) is None

    async def _last_scrape(self) -> float:
        """Return the time of the last scrape of the page that was scraped least recently."""
        _, answers = await self._now()
        counters = [one for one in answers.values() if isinstance(one, CounterSamples)]
        return min(series.samples[-1].at for one in counters for series in one.series)

    async def _now(self) -> tuple[MetricsRequest, Mapping[SourceId, Answer]]:
        """Query the present counters of all sources."""
        now = self.clock()
        metrics_request = request(now, now, provider=self.analysis.provider)
        reading = await self.metrics.read(plan_queries(metrics_request))
        return metrics_request, reading.answers

    async def _scraped(self) -> list[set[str]]:
        """Return the scraped revisions of each source."""
        metrics_request, answers = await self._now()
        return [
            _owners(source, answer, metrics_request)
            if isinstance(answer, CounterSamples)
            else set()
            for source, answer in answers.items()
        ]

    async def poll(self, *, later: float = 0.0) -> Verdict:
        """Poll once, *later* seconds after the present time."""
        self.last = await self.reading()
        judgement = judge_poll(
            self.evidence, self.last, self.analysis, 0, STEPS, self.clock() + later
        )
        self.evidence = judgement.evidence
        return judgement.verdict

    def counted(self, source: Source, revision: str = CANARY) -> Counts:
        """Return the counts so far."""
        evidence = next(one for one in self.evidence.sources if one.source == source)
        if revision == CANARY:
            return Counts(evidence.canary_requests, evidence.canary_errors)
        return Counts(evidence.stable_requests, evidence.stable_errors)

    async def sees(self, source: Source, counts: Counts, revision: str = CANARY) -> None:
        """Poll until these counts are reached."""

        async def seen() -> Counts:
            await self.poll()
            return self.counted(source, revision)

        found = await wait_until_async(
            seen,
            lambda found: found.requests >= counts.requests,
            explain=lambda: pformat((self.last, self.evidence)),
        )
        assert found == counts


def _owners(source: str, answer: CounterSamples, asked: MetricsRequest) -> set[str]:
    read = provider_of(source, asked).reader(asked, answer.series)
    meanings = (read(one.labels) for one in answer.series)
    return {one.revision for one in meanings if one is not None}
