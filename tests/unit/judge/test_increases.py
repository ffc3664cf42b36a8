from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from halimede.api.sources import Source
from halimede.api.status import SourceEvidence
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.increases import find_targets, increments, watermark
from halimede.judge.providers.contour import CONTOUR
from halimede.judge.providers.triton import TRITON
from halimede.judge.reading import CounterSamples, Counts, Sample, Series
from tests.support.series import CANARY, STABLE, envoy, request, triton

BEGIN = 200_000
"""Times are in whole milliseconds; counting starts here."""
END = 560_000
HISTORY = 10_000


@dataclass
class Pod:
    """A process that serves, restarts and is scraped at independent times."""

    name: str
    born: int
    died: int
    restarted: int
    events: list[tuple[int, bool]]
    """End of each request and whether it was an error, oldest first."""
    scrapes: list[tuple[int, int]]
    """Start of each scrape, and when its samples are visible."""

    @property
    def old(self) -> bool:
        """Whether the pod existed before counting started."""
        return self.born < BEGIN

    def served(self, since: int, upto: int, *, failed: bool) -> int:
        """Return the counts of the requests themselves."""
        low = bisect_left(self.events, (since,))
        high = bisect_left(self.events, (upto,))
        return sum(error is failed for _, error in self.events[low:high])

    def value(self, at: int, *, failed: bool) -> int:
        """Return the counter's value."""
        if self.born < self.restarted <= at:
            return self.served(self.restarted, at, failed=failed)
        before = HISTORY if self.old and not failed else 0
        return before + self.served(self.born, at, failed=failed)

    def truth(self, upto: int) -> Counts:
        """Return the counts of the requests that scrapes up to a time can show."""
        total = Counts()
        earlier = None
        for at, _ in self.scrapes:
            since = earlier if earlier is not None else self.born
            if since < self.restarted <= at:
                since = self.restarted
            if BEGIN < at <= upto and (earlier is not None or not self.old):
                good = self.served(since, at, failed=False)
                bad = self.served(since, at, failed=True)
                total += Counts(good + bad, bad)
            earlier = at
        return total

    def series(self, now: int) -> tuple[Series, ...]:
        """Return the visible series at a time; an error counter exists from its first error."""
        seen = [at for at, visible in self.scrapes if visible <= now]
        result = []
        for failed in (False, True):
            values = [(at, self.value(at, failed=failed)) for at in seen]
            points = tuple((at / 1000, float(v)) for at, v in values if v or not failed)
            labels = {"reason": "BACKEND"} if failed else {}
            result.append(
                triton(self.name.split("-")[1], points, pod=self.name.split("-")[2], **labels)
            )
        return tuple(one for one in result if one.samples)


def make_pod(rng: Random, number: int, interval: int) -> Pod:
    """Draw a random pod."""
    revision = rng.choice((STABLE, CANARY))
    born = rng.choice((rng.randrange(1000, BEGIN), rng.randrange(BEGIN, END - 60_000)))
    died = rng.choice((END, rng.randrange(born + 1, END)))
    restarted = rng.choice((0, rng.randrange(born, END))) if born < BEGIN else 0
    events = sorted(
        (rng.randrange(born, died), rng.random() < 0.3) for _ in range(rng.randrange(60))
    )
    first = born + 1 + rng.randrange(interval)
    scrapes = [
        (at, at + rng.randrange(interval))
        for at in range(first, died, interval)
        if rng.random() > 0.15
    ]
    return Pod(f"digits-{revision}-{number}", born, died, restarted, events, scrapes)


def total_of_polls(pods: list[Pod], polls: list[int]) -> tuple[Counts, Counts, float]:
    """Count poll by poll, keeping only the stored status in between."""
    canary, stable = Counts(), Counts()
    evidence = SourceEvidence(source="Triton", begun_at=BEGIN / 1000, watermark=BEGIN / 1000)
    for now in polls:
        answer = CounterSamples(tuple(one for pod in pods for one in pod.series(now)))
        seen = count_window(
            Source.TRITON,
            answer,
            request(now / 1000, evidence.watermark),
            begun_at=evidence.begun_at,
            after=evidence.watermark,
            pods_started={pod.name: pod.born / 1000 for pod in pods if pod.born <= now},
        )
        assert isinstance(seen, WindowCounts)
        assert seen.watermark >= evidence.watermark
        canary += seen.canary
        stable += seen.stable
        stored = evidence.evolve(watermark=seen.watermark).to_manifest()
        evidence = SourceEvidence.model_validate(stored)
    return canary, stable, evidence.watermark


@given(
    rng=st.randoms(use_true_random=True),
    interval=st.sampled_from((1000, 15_000, 30_000)),
    pods=st.integers(1, 4),
    polls=st.lists(st.integers(BEGIN, END + 60_000), max_size=12),
)
def test_polls_at_any_moments_count_every_request_once(
    rng: Random, interval: int, pods: int, polls: list[int]
) -> None:
    """The counts are exact with slow, missed and late scrapes, restarts and new pods."""
    world = [make_pod(rng, number, interval) for number in range(pods)]
    canary, stable, upto = total_of_polls(world, [*sorted(polls), END + 60_000])
    edge = round(upto * 1000)
    expected = {CANARY: Counts(), STABLE: Counts()}
    for pod in world:
        expected[pod.name.split("-")[1]] += pod.truth(edge)
    assert (canary, stable) == (expected[CANARY], expected[STABLE])


@given(
    values=st.lists(st.integers(0, 50), min_size=1, max_size=20),
    cuts=st.lists(st.integers(0, 20), max_size=5),
)
def test_increments_of_one_counter_do_not_depend_on_where_it_is_cut(
    values: list[int], cuts: list[int]
) -> None:
    """The increments between any two moments add up to the increments of the whole."""
    points = tuple((float(at), float(value)) for at, value in enumerate(values))
    (process,) = find_targets([triton(CANARY, points)], TRITON.labelling)
    whole = [(one.at, one.amount) for one in increments(process)]
    edges = [-1, *sorted(cuts), len(values)]
    pieces = [
        (at, amount) for low, high in pairwise(edges) for at, amount in whole if low < at <= high
    ]
    assert pieces == whole
    assert all(amount >= 0 for _, amount in whole)


def amounts(*series: Series) -> dict[str, int]:
    """Return the sum of one process's increments by outcome."""
    (process,) = find_targets(series, TRITON.labelling)
    total: dict[str, int] = {}
    for one in increments(process):
        key = one.series.labels.get("reason", "success")
        total[key] = total.get(key, 0) + one.amount
    return total


def test_a_counter_that_fell_started_from_zero() -> None:
    """After a restart the new value is all that was added."""
    assert amounts(triton(CANARY, ((0, 10), (15, 14), (30, 3)))) == {"success": 7}


def test_a_restart_shows_in_every_counter_of_the_process() -> None:
    """A counter that is over its old value again is still counted from zero."""
    success = triton(CANARY, ((0, 100), (15, 5)))
    failure = triton(CANARY, ((0, 2), (15, 4)), reason="BACKEND")
    assert amounts(success, failure) == {"success": 5, "BACKEND": 4}


def test_a_restart_is_seen_once_however_late_an_error_counter_comes_back() -> None:
    """It falls when its next error comes, long after the others fell."""
    success = triton(CANARY, ((0, 100), (15, 5), (30, 6), (45, 8)))
    failure = triton(CANARY, ((0, 2), (45, 1)), reason="BACKEND")
    assert amounts(success, failure) == {"success": 8, "BACKEND": 1}


def test_a_recreated_envoy_cluster_does_not_affect_others() -> None:
    """If Envoy drops the counters of one Service, those of others continue."""
    gone = envoy(CANARY, ((0, 90), (15, 2)), response="2")
    stays = envoy(STABLE, ((0, 40), (15, 45)), response="2")
    (process,) = find_targets([gone, stays], CONTOUR.labelling)
    assert sorted(one.amount for one in increments(process)) == [2, 5]


def test_the_first_error_of_a_known_process_counts() -> None:
    """A series that appears with value 3 stands for three errors, not for none."""
    success = triton(CANARY, ((0, 10), (15, 20)))
    failure = triton(CANARY, ((15, 3),), reason="BACKEND")
    assert amounts(success, failure) == {"success": 10, "BACKEND": 3}


def test_the_first_scrape_of_an_unknown_process_counts_nothing() -> None:
    """Its earlier requests may be counted already or be out of scope."""
    assert amounts(triton(CANARY, ((15, 500), (30, 501)))) == {"success": 1}


def test_a_process_that_is_gone_holds_the_watermark_up_by_one_interval() -> None:
    """A stopped process holds the watermark for one interval, not for the whole window."""
    gone = triton(STABLE, ((0, 1), (15, 1)), pod="gone")
    lives = triton(CANARY, tuple((at, 1) for at in range(0, 301, 15)), pod="lives")
    assert watermark(find_targets([gone, lives], TRITON.labelling)) == 285.0


def test_the_watermark_is_the_slowest_living_process() -> None:
    """Newer samples of one process wait for those of the slower one."""
    one = triton(STABLE, ((0, 1), (15, 1), (30, 1)), pod="one")
    other = triton(CANARY, ((7, 1), (22, 1)), pod="other")
    assert watermark(find_targets([one, other], TRITON.labelling)) == 22.0


def test_no_samples_give_no_watermark() -> None:
    """Without samples there is no time to continue from."""
    empty = Series({"__name__": "nv_inference_request_success"}, ())
    assert watermark(find_targets([empty], TRITON.labelling)) is None


def test_sample_is_described_with_its_labels() -> None:
    """Samples of a series are ordered, and scrapes differ by their time alone."""
    (process,) = find_targets([triton(CANARY, ((0, 1), (15, 2)))], TRITON.labelling)
    assert (process.first, process.last, process.interval) == (0, 15, 15)
    assert process.series[0].samples[1] == Sample(15, 2)


def test_versions_and_tags_of_a_model_are_counted_separately() -> None:
    """Triton's own labels do not make a second process, even if Prometheus renames them."""
    one = triton(CANARY, ((0, 1),), exported_version="1", _team="a")
    other = triton(CANARY, ((0, 1),), exported_version="2", _team="b")
    assert len(find_targets([one, other], TRITON.labelling)) == 1
