"""Processes that are scraped far more rarely than others."""

from dataclasses import dataclass
from itertools import count
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halimede.api.analysis import Analysis, ClientErrors, MetricsProvider
from halimede.api.reasons import Verdict
from halimede.api.sources import Source
from halimede.api.status import Evidence
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.initial_evidence import begin
from halimede.judge.judge import judge_poll
from halimede.judge.reading import CounterSamples, Counts, History, Reading, Series, counted_since
from halimede.judge.verdict import Judgement
from tests.support.series import CANARY, STABLE, envoy, measured, request, triton

BEGIN = 1000.0
POLL = 15.0
LIMIT = 3600.0
ANALYSIS = Analysis(provider=MetricsProvider.CONTOUR, on_client_errors=ClientErrors.IGNORE)
OFTEN, RARELY = 15.0, 300.0


@dataclass(frozen=True)
class Scraped:
    """A process whose requests come evenly, scraped at an interval."""

    name: str
    interval: float
    canary: float = 2.0
    """Requests per second to the canary."""
    stable: float = 8.0
    failed: float = 0.3
    """The part of the canary's requests that fails."""
    first: float = 3.0
    """Time of the first scrape."""
    ends: float = LIMIT * 2
    """When the scrapes end."""

    def times(self, now: float) -> list[float]:
        """Return the times of the scrapes that have ended, which take half a second."""
        times: list[float] = []
        for number in count():
            at = self.first + number * self.interval
            if at + 0.5 > now or at > self.ends:
                return times
            times.append(at)
        return times

    def router(self, now: float, since: float) -> list[Series]:
        """Return the proxy's counters since a time."""
        return [
            envoy(revision, points, response=response, instance=self.name)
            for revision, response, rate in (
                (CANARY, "2", self.canary * (1 - self.failed)),
                (CANARY, "5", self.canary * self.failed),
                (STABLE, "2", self.stable),
            )
            if (points := self._points(rate, now, since))
        ]

    def triton(self, revision: str, now: float, since: float) -> list[Series]:
        """Return the counters of the same requests in a pod of a revision."""
        rate = self.canary if revision == CANARY else self.stable
        points = self._points(rate, now, since)
        return [triton(revision, points, pod=self.name)] if points else []

    def _points(self, rate: float, now: float, since: float) -> tuple[tuple[float, float], ...]:
        return tuple((at, float(int(at * rate))) for at in self.times(now) if at > since)


def window(*proxies: Scraped, now: float, since: float) -> CounterSamples:
    """Return what a poll reads from the proxies."""
    return measured(*(one for proxy in proxies for one in proxy.router(now, since - 600.0)))


class Rollout:
    """A rollout that is judged by proxies and by pods."""

    def __init__(self, proxies: list[Scraped], pods: dict[str, list[Scraped]]) -> None:
        """Begin without a past."""
        self.proxies, self.pods, self.now = proxies, pods, BEGIN
        past = {source: measured() for source in Source}
        self.evidence = begin(ANALYSIS, 3, History(request(BEGIN), past), BEGIN)

    def poll(self) -> Judgement:
        """Let 15 s pass, and judge."""
        self.now += POLL
        since = counted_since(self.evidence) or 0.0
        pods = [
            one
            for revision, scraped in self.pods.items()
            for pod in scraped
            for one in pod.triton(revision, self.now, since - 600.0)
        ]
        answers = {
            Source.ROUTER: window(*self.proxies, now=self.now, since=since),
            Source.TRITON: measured(*pods),
        }
        reading = Reading(request(self.now, since), answers)
        judgement = judge_poll(self.evidence, reading, ANALYSIS, 2, 3, self.now)
        self.evidence = Evidence.model_validate(judgement.evidence.to_manifest())
        return judgement

    def until(self, *verdicts: Verdict) -> float:
        """Poll until one of these verdicts, and return the seconds that it took."""
        while self.now < BEGIN + LIMIT:
            if self.poll().verdict in verdicts:
                return self.now - BEGIN
        raise AssertionError(self.evidence.message)


PODS = {CANARY: [Scraped("c", OFTEN)], STABLE: [Scraped("s", OFTEN)]}
TWO = [Scraped("a", OFTEN), Scraped("b", OFTEN, first=9.0)]
RARE = Scraped("rare", RARELY, first=20.0)


def test_a_rarely_scraped_proxy_hardly_delays_an_abort() -> None:
    """Given a bad canary, when a proxy is scraped every 300 s, then it takes a poll more."""
    alone = Rollout(TWO, PODS).until(Verdict.ABORT)
    assert Rollout([*TWO, RARE], PODS).until(Verdict.ABORT) <= alone + POLL


def test_a_rarely_scraped_proxy_hardly_delays_a_pass() -> None:
    """Given a good canary, when a proxy is scraped every 300 s, then it takes a poll more."""
    good = [Scraped(one.name, one.interval, first=one.first, failed=0.0) for one in (*TWO, RARE)]
    alone = Rollout(good[:2], PODS).until(Verdict.PASS)
    assert Rollout(good, PODS).until(Verdict.PASS) <= alone + POLL


@pytest.mark.parametrize("ends", [BEGIN - 100.0, BEGIN + 40.0])
def test_a_proxy_whose_scrapes_have_stopped_hardly_delays_an_abort(ends: float) -> None:
    """Given a bad canary, when a third proxy is no longer scraped, then it takes one poll more."""
    gone = Scraped("gone", OFTEN, ends=ends)
    alone = Rollout(TWO, PODS).until(Verdict.ABORT)
    assert Rollout([*TWO, gone], PODS).until(Verdict.ABORT) <= alone + POLL


def test_the_rarely_scraped_proxy_is_named() -> None:
    """The message has its label, its interval, and the usual one."""
    rollout = Rollout([*TWO, RARE], PODS)
    judgement = rollout.poll()
    assert judgement.verdict is not Verdict.ABORT
    assert judgement.message.endswith(
        '. instance="rare" is scraped every 300 s, others every 15 s, so its requests count late:'
        " scrape it as often"
    )
    assert "instance" not in Rollout(TWO, PODS).poll().message


def test_a_rarely_scraped_pod_is_waited_for_and_named() -> None:
    """A pod has one revision, so its requests are compared only with those of the same time."""
    rare = Scraped("rare", RARELY, first=20.0)
    rollout = Rollout(TWO, {CANARY: PODS[CANARY], STABLE: [*PODS[STABLE], rare]})
    judgement = rollout.poll()
    assert judgement.message.endswith(
        f'pod="digits-{STABLE}-rare" is scraped every 300 s, others every 15 s, so all requests'
        " in Triton count late: scrape it as often"
    )
    for _ in range(10):
        rollout.poll()
    by_source = {one.source: one for one in rollout.evidence.sources}
    assert by_source[Source.TRITON].watermark < rollout.now - 100.0
    assert by_source[Source.ROUTER].watermark >= rollout.now - 2 * OFTEN


@pytest.mark.parametrize(("often", "seldom"), [(1.0, 15.0), (15.0, 30.0), (30.0, 90.0)])
def test_intervals_that_differ_a_little_are_waited_for(often: float, seldom: float) -> None:
    """They delay little, and the message does not name them."""
    rollout = Rollout([Scraped("a", often), Scraped("b", seldom)], PODS)
    judgement = rollout.poll()
    assert "instance" not in judgement.message


def test_a_new_proxy_is_not_called_rare() -> None:
    """With one scrape its interval is not known, and it delays nothing."""
    new = Scraped("new", RARELY, first=BEGIN + 2.0)
    rollout = Rollout([*TWO, new], PODS)
    assert "instance" not in rollout.poll().message
    rollout.poll()
    (watermark,) = (one.watermark for one in rollout.evidence.sources if one.source == "Router")
    assert watermark >= rollout.now - 2 * OFTEN


def test_the_warm_up_is_not_counted_by_a_rare_scrape() -> None:
    """What a rare scrape has counted since before the beginning is left out."""
    rare = Scraped("rare", RARELY, first=BEGIN - 250.0)
    seen = count_window(
        Source.ROUTER,
        window(TWO[0], rare, now=BEGIN + 90.0, since=BEGIN),
        request(BEGIN + 90.0, BEGIN),
        begun_at=BEGIN,
        after=BEGIN,
        pods_started={},
    )
    assert isinstance(seen, WindowCounts)
    assert seen.watermark >= BEGIN + 60.0
    scrapes = [at for at in TWO[0].times(BEGIN + 90.0) if BEGIN - OFTEN < at <= seen.watermark]
    assert seen.stable.requests == 8 * (scrapes[-1] - scrapes[0])


@settings(max_examples=40)
@given(
    rng=st.randoms(use_true_random=True),
    intervals=st.lists(st.sampled_from((15.0, 30.0, 100.0, 300.0, 500.0)), max_size=3),
)
def test_every_request_counts_once_however_rarely_proxies_are_scraped(
    rng: Random, intervals: list[float]
) -> None:
    """The counts of all polls are the increases from the first scrape to the last one counted."""
    proxies = [
        Scraped(str(number), interval, first=rng.uniform(0.0, 300.0))
        for number, interval in enumerate((OFTEN, *intervals))
    ]
    total, after, now = Counts(), BEGIN, BEGIN
    while now < BEGIN + LIMIT:
        now += rng.uniform(10.0, 40.0)
        seen = count_window(
            Source.ROUTER,
            window(*proxies, now=now, since=after),
            request(now, after),
            begun_at=BEGIN,
            after=after,
            pods_started={},
        )
        assert isinstance(seen, WindowCounts)
        total, after = total + seen.canary + seen.stable, seen.watermark
    expected = 0
    for proxy in proxies:
        times = [at for at in proxy.times(now) if at <= after]
        # An increase from before the beginning counts if scrapes are as frequent as usual.
        earlier = [at for at in times if at <= BEGIN]
        starts = earlier[-1:] if proxy.interval <= 3 * OFTEN else []
        counted = [*starts, *(at for at in times if at > BEGIN)]
        for one in proxy.router(now, 0.0):
            values = {sample.at: sample.value for sample in one.samples}
            expected += int(values[counted[-1]] - values[counted[0]])
    assert total.requests == expected
