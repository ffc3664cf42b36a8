from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.reading import CounterSamples, Counts, Unavailable
from tests.support.series import CANARY, STABLE, envoy, measured, request, series, triton


def grown(by: float) -> tuple[tuple[float, float], ...]:
    """Return a counter that was 100 and grew in one scrape."""
    return ((0.0, 100.0), (15.0, 100.0 + by))


def counted(source: Source, answer: CounterSamples, **pods_started: float) -> WindowCounts:
    """Return a source's counts since 5.0."""
    seen = count_window(
        source,
        answer,
        request(now=20.0, since=5.0),
        begun_at=5.0,
        after=5.0,
        pods_started={name.replace("_", "-"): at for name, at in pods_started.items()},
    )
    assert isinstance(seen, WindowCounts)
    return seen


def test_http_errors_are_responses_of_class_5() -> None:
    """Every class is a request; client errors (class 4) are no errors."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(10), response="2"),
            envoy(CANARY, grown(2), response="4"),
            envoy(CANARY, grown(3), response="5"),
            envoy(STABLE, grown(80), response="2"),
        ),
    )
    assert (seen.canary, seen.stable) == (Counts(15, 3), Counts(80, 0))


def test_grpc_errors_are_codes_although_their_class_is_2() -> None:
    """20 calls of class 2, of which 7 are INTERNAL, are seven errors."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(20), response="2", port=8001),
            envoy(CANARY, grown(20), metric="grpc_total", port=8001),
            envoy(CANARY, ((15.0, 7.0),), metric="grpc_13", port=8001),
        ),
    )
    assert seen.canary == Counts(20, 7)


def test_an_error_of_envoys_own_on_a_grpc_call_counts_once() -> None:
    """Envoy counts a call without an endpoint as `grpc_14` and as class 5."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(5), response="5", port=8001),
            envoy(CANARY, grown(5), metric="grpc_total", port=8001),
            envoy(CANARY, grown(5), metric="grpc_14", port=8001),
        ),
    )
    assert seen.canary == Counts(5, 5)


def test_http_and_grpc_add_up() -> None:
    """A revision that fails only by gRPC shows errors despite good HTTP."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(30), response="2"),
            envoy(CANARY, grown(10), metric="grpc_total", port=8001),
            envoy(CANARY, grown(4), metric="grpc_2", port=8001),
        ),
    )
    assert seen.canary == Counts(40, 4)


def test_the_first_response_after_the_cluster_was_made_counts() -> None:
    """`upstream_rq_total` shows that Envoy was scraped before the first 5xx of the canary."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, ((0.0, 0.0), (15.0, 3.0)), metric="upstream_rq_total"),
            envoy(CANARY, ((15.0, 3.0),), response="5"),
        ),
    )
    assert seen.canary == Counts(3, 3)


def test_several_proxies_add_up() -> None:
    """Each Envoy counts its own requests."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(3), response="2", instance="a"),
            envoy(CANARY, grown(4), response="2", instance="b"),
        ),
    )
    assert seen.canary == Counts(7, 0)


def test_triton_failures_are_requests_too() -> None:
    """A request counts either as `success` or as `failure` in Triton."""
    seen = counted(
        Source.TRITON,
        measured(
            triton(CANARY, grown(10)),
            triton(CANARY, grown(2), reason="BACKEND"),
            triton(CANARY, grown(1), reason="REJECTED"),
            triton(CANARY, grown(1), reason="OTHER"),
        ),
    )
    assert seen.canary == Counts(14, 4)


def test_what_a_client_cancelled_is_neither_request_nor_error() -> None:
    """A request that its client cancelled does not count."""
    seen = counted(
        Source.TRITON,
        measured(triton(CANARY, grown(1)), triton(CANARY, grown(9), reason="CANCELED")),
    )
    assert seen.canary == Counts(1, 0)


def test_a_pod_that_started_after_the_warm_up_counts_from_zero() -> None:
    """All requests of a new pod count; of an older one only the increments."""
    answer = measured(triton(CANARY, ((15.0, 40.0),), pod="new"))
    assert counted(Source.TRITON, answer).canary == Counts()
    young = counted(Source.TRITON, answer, **{f"digits_{CANARY}_new": 9.0})
    assert young.canary == Counts(40, 0)


def test_a_process_scraped_by_two_jobs_is_rejected() -> None:
    """Requests counted twice would square the odds."""
    answer = measured(triton(CANARY, grown(4), job="a"), triton(CANARY, grown(4), job="b"))
    seen = count_window(Source.TRITON, answer, request(), begun_at=5.0, after=5.0, pods_started={})
    assert isinstance(seen, Unavailable)
    assert seen.why is UnavailableReason.DOUBLED
    assert f'pod="digits-{CANARY}-x"' in seen.message


def test_a_pod_that_came_back_at_another_address_is_not_doubled() -> None:
    """The series of a pod's two addresses do not overlap."""
    before = triton(CANARY, ((-15.0, 3.0), (0.0, 3.0)), instance="10.0.0.1:8002")
    after = triton(CANARY, ((15.0, 1.0), (30.0, 2.0), (45.0, 9.0)), instance="10.0.0.2:8002")
    assert counted(Source.TRITON, measured(before, after)).canary == Counts(1, 0)


def test_an_error_seen_before_its_request_makes_up_a_request() -> None:
    """Envoy increments two counters per gRPC error, and a scrape may come in between."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(0), metric="grpc_total", port=8001),
            envoy(CANARY, grown(1), metric="grpc_13", port=8001),
        ),
    )
    assert seen.canary == Counts(1, 1)


def test_what_is_of_neither_revision_is_left_out() -> None:
    """Pods of a third revision may still be terminating."""
    other = triton("cccc3333", grown(9))
    nameless = series(grown(9), name="nv_inference_request_success")
    seen = counted(Source.TRITON, measured(other, nameless, triton(STABLE, grown(2))))
    assert (seen.canary, seen.stable) == (Counts(), Counts(2, 0))


def test_nothing_at_all_lets_the_window_stop_growing() -> None:
    """A source without samples does not make each query longer."""
    seen = count_window(
        Source.TRITON,
        CounterSamples(()),
        request(now=5000.0, since=5.0),
        begun_at=5.0,
        after=5.0,
        pods_started={},
    )
    assert seen == WindowCounts(Counts(), Counts(), 4400.0, None, 0.0)
