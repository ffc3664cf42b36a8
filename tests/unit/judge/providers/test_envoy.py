"""Requests that ended without a response, by Envoy's counters; the figures are measured."""

from random import Random

import pytest

from halimede.api.sources import Source
from halimede.judge.baseline import summarise_baseline
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.reading import Counts, Series
from tests.support.series import CANARY, STABLE, envoy, measured, request

SCRAPES = tuple(15.0 * number for number in range(5))
TOTAL, RETRY = "upstream_rq_total", "upstream_rq_retry"
LOCAL, RESET = "upstream_cx_destroy_local_with_active_rq", "upstream_rq_tx_reset"
MINUTE = 60.0
CANCELLED, TIMEOUT = "upstream_rq_cancelled", "upstream_rq_timeout"
EJECTED, PER_TRY = "upstream_rq_pending_failure_eject", "upstream_rq_per_try_timeout"


def counters(
    *, revision: str = CANARY, port: int = 8000, **values: tuple[float, ...]
) -> list[Series]:
    """Return counters of a cluster by scrape; `c2` is that of class 2."""
    result = []
    for name, counter in values.items():
        points = tuple(zip(SCRAPES[-len(counter) :], counter, strict=True))
        response, metric = (name[1:], "upstream_rq_xx") if name in "c2 c4 c5" else (None, name)
        result.append(envoy(revision, points, metric=metric, response=response, port=port))
    return result


def counted(answer: list[Series], after: float = 0.0) -> WindowCounts:
    """Return the counts of the scrapes."""
    newest = max(one.samples[-1].at for one in answer)
    metrics_request = request(now=newest + 1, since=after)
    seen = count_window(
        Source.ROUTER,
        measured(*answer),
        metrics_request,
        begun_at=1.0,
        after=after,
        pods_started={},
    )
    assert isinstance(seen, WindowCounts)
    return seen


@pytest.mark.parametrize(
    ("counts", "values"),
    [
        (Counts(14, 4), {TOTAL: (0, 14), "c2": (0, 10), LOCAL: (0, 4)}),
        (Counts(14, 4), {TOTAL: (0, 14), "c2": (0, 10), RESET: (0, 4)}),
        (Counts(5, 5), {TOTAL: (0, 2), CANCELLED: (0, 3), LOCAL: (0, 2)}),
        (
            Counts(3, 3),
            {TOTAL: (0, 2), CANCELLED: (0, 1), LOCAL: (0, 2), TIMEOUT: (0, 3), "c5": (0, 3)},
        ),
        (Counts(5, 5), {TOTAL: (0, 5), LOCAL: (0, 5), TIMEOUT: (0, 5), "c5": (0, 5)}),
        (Counts(5, 0), {TOTAL: (0, 10), RETRY: (0, 5), "c2": (0, 5)}),
        (Counts(5, 5), {TOTAL: (0, 10), RETRY: (0, 5), LOCAL: (0, 5)}),
        (
            Counts(5, 5),
            {TOTAL: (0, 8), RETRY: (0, 3), "c5": (0, 2), PER_TRY: (0, 5), LOCAL: (0, 8)},
        ),
        (
            Counts(9, 9),
            {TOTAL: (0, 4), RETRY: (0, 6), EJECTED: (0, 11), "c5": (0, 5), LOCAL: (0, 4)},
        ),
        (Counts(5, 0), {TOTAL: (0, 5), "c2": (0, 5), LOCAL: (0, 5)}),
        (Counts(3, 0), {TOTAL: (0, 3), "c4": (0, 3), RESET: (0, 3)}),
        (Counts(5, 0), {TOTAL: (0, 9), "c2": (0, 5), LOCAL: (0, 0)}),
    ],
    ids=[
        "clients left over HTTP/1",
        "clients left over HTTP/2",
        "some waited for a connection",
        "the same until the route's timeout",
        "the route's timeout",
        "a retry that was answered",
        "clients left during a retry",
        "some attempts timed out, then three clients left",
        "no connection, and four clients left",
        "clients left in mid-response",
        "answered before the body was sent",
        "under way",
    ],
)
def test_each_request_counts_once(counts: Counts, values: dict[str, tuple[float, ...]]) -> None:
    """Each request counts once, however it ended."""
    assert counted(counters(**values)).canary == counts


def test_calls_count_once_too() -> None:
    """Six calls succeed, four clients leave, and three time out, with only a gRPC code."""
    answer = counters(
        port=8001,
        **{
            TOTAL: (0, 13),
            "c2": (0, 6),
            "grpc_total": (0, 9),
            "grpc_14": (0, 3),
            RESET: (0, 7),
        },
    )
    assert counted(answer).canary == Counts(13, 7)


def test_those_under_way_are_no_errors_when_streams_are_left_in_the_middle() -> None:
    """Three streams are still open at the end; ten are cancelled during the response."""
    answer = counters(**{TOTAL: (50, 80), "c2": (40, 70), LOCAL: (5, 15)})
    assert counted(answer).canary == Counts(30, 0)


def test_requests_under_way_come_and_go_without_becoming_errors() -> None:
    """Without cancelled requests, differing counts in a scrape are no errors."""
    answer = counters(
        **{TOTAL: (0, 20, 30, 55, 60), "c2": (0, 15, 30, 41, 60), LOCAL: (2, 2, 2, 2, 2)}
    )
    assert counted(answer).canary == Counts(60, 0)


def test_the_increases_of_many_polls_add_up_to_those_of_one() -> None:
    """The sum over all polls equals one count of all scrapes."""
    answer = counters(
        **{TOTAL: (9, 30, 51, 70, 99), "c2": (9, 20, 35, 50, 71), LOCAL: (0, 4, 9, 15, 23)}
    )
    polls = [counted([_until(one, at) for one in answer], at - 15.0) for at in SCRAPES[1:]]
    assert sum((one.canary for one in polls), Counts()) == Counts(62 + 23, 23)
    assert counted(answer).canary == Counts(62 + 23, 23)


def _until(one: Series, at: float) -> Series:
    return Series(one.labels, tuple(sample for sample in one.samples if sample.at <= at))


def test_a_restarted_proxy_loses_no_request() -> None:
    """Three clients left before the restart and two after it."""
    answer = counters(
        **{TOTAL: (40, 50, 6, 9), "c2": (38, 45, 5, 7), LOCAL: (2, 5, 1, 2)},
    )
    assert counted(answer, after=15.0).canary == Counts(14 + 5, 5)


def test_a_cluster_that_is_new_counts_from_zero() -> None:
    """A new cluster counts from zero if the proxy was scraped before."""
    answer = counters(**{TOTAL: (7, 12), "c2": (5, 8), LOCAL: (2, 4)})
    answer += counters(
        revision=STABLE, **{TOTAL: (0, 90, 180), "c2": (0, 90, 180), LOCAL: (1, 1, 1)}
    )
    seen = counted(answer)
    assert (seen.canary, seen.stable) == (Counts(12, 4), Counts(180, 0))


def test_two_proxies_are_distinguished() -> None:
    """Open requests of one proxy do not offset lost ones of another."""
    answer = counters(**{TOTAL: (0, 10), "c2": (0, 8), LOCAL: (0, 2)})
    for one in counters(**{TOTAL: (0, 10), "c2": (0, 5), LOCAL: (0, 1)}):
        answer.append(Series({**one.labels, "instance": "envoy-2"}, one.samples))
    assert counted(answer).canary == Counts(16, 3)


def test_without_the_counters_nothing_changes() -> None:
    """Without these counters only classes count."""
    assert counted(counters(**{TOTAL: (0, 14), "c2": (0, 10)})).canary == Counts(10, 0)


def test_the_past_has_them_too() -> None:
    """The past includes them, so impatient clients do not count against the canary."""
    answer = counters(revision=STABLE, **{TOTAL: (0, 500), "c2": (0, 480), LOCAL: (0, 20)})
    assert summarise_baseline(Source.ROUTER, measured(*answer), request()).counts == Counts(
        500, 20
    )


def test_client_errors_leave_them_out() -> None:
    """They are requests, but no client errors."""
    answer = counters(**{TOTAL: (0, 14), "c2": (0, 7), "c4": (0, 3), LOCAL: (0, 4)})
    metrics_request = request(now=16.0)
    seen = count_window(
        Source.ROUTER_CLIENT_ERRORS,
        measured(*answer),
        metrics_request,
        begun_at=1.0,
        after=0.0,
        pods_started={},
    )
    assert isinstance(seen, WindowCounts)
    assert seen.canary == Counts(14, 3)


def traffic(seed: int, hang: float, leave: float) -> tuple[list[Series], int]:
    """Return 20 minutes of streams: 5/s, 300 ms until the response, 10 s in all.

    Args:
        seed: The random seed.
        hang: The fraction without a response, cancelled after 10 s.
        leave: The fraction cancelled during the response, after 5 s.

    Returns:
        The counters, and how many hanging streams were cancelled in the last ten minutes.
    """
    rng = Random(seed)
    happened: dict[str, list[float]] = {TOTAL: [], "c2": [], LOCAL: []}
    now, hung = 0.0, 0
    while now < 20 * MINUTE:
        now += rng.expovariate(5)
        fate = rng.random()
        happened[TOTAL].append(now)
        if fate < hang:
            end = now + rng.expovariate(1 / 10)
            happened[LOCAL].append(end)
            hung += 10 * MINUTE < end <= 20 * MINUTE
            continue
        begin = now + rng.expovariate(1 / 0.3)
        happened["c2"].append(begin)
        if fate < hang + leave:
            happened[LOCAL].append(begin + rng.expovariate(1 / 5))
    scrapes = [15.0 * number for number in range(81)]
    return [
        envoy(
            CANARY,
            tuple((at, float(sum(one <= at for one in times))) for at in scrapes),
            metric="upstream_rq_xx" if name == "c2" else name,
            response="2" if name == "c2" else None,
        )
        for name, times in happened.items()
    ], hung


@pytest.mark.parametrize("seed", range(3))
def test_streams_that_are_left_in_the_middle_are_hardly_ever_errors(seed: int) -> None:
    """About 300 of 3000 streams are cancelled in ten minutes, and none hangs."""
    answer, _ = traffic(seed, hang=0.0, leave=0.1)
    assert counted(answer, 10 * MINUTE).canary.errors <= 3


@pytest.mark.parametrize("seed", range(3))
def test_hanging_requests_are_counted_separately(seed: int) -> None:
    """About 150 hanging streams are counted, within 3 %."""
    answer, hung = traffic(seed, hang=0.05, leave=0.1)
    assert counted(answer, 10 * MINUTE).canary.errors == pytest.approx(hung, rel=0.03)
