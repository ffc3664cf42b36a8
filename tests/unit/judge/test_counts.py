from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.reading import CounterSamples, Counts, Unavailable
from tests.support.series import CANARY, STABLE, envoy, measured, request, series, triton


def grown(by: float) -> tuple[tuple[float, float], ...]:
    """Write a counter that stood at 100 and grew in one scrape."""
    return ((0.0, 100.0), (15.0, 100.0 + by))


def counted(source: Source, answer: CounterSamples, **pods_started: float) -> WindowCounts:
    """Count what a source shows of the time since 5.0."""
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
    """Every class is a request; a client's own errors (4) are none of the server's."""
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


def test_grpc_errors_are_codes_although_envoy_says_class_2() -> None:
    """20 calls, 7 INTERNAL, all of class 2: seven errors."""
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
    """A revision that fails over gRPC only is seen beside its good HTTP."""
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
    """`success` and `failure` are apart in Triton, and a request is either."""
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
    """The model is not to blame for a client that left."""
    seen = counted(
        Source.TRITON,
        measured(triton(CANARY, grown(1)), triton(CANARY, grown(9), reason="CANCELED")),
    )
    assert seen.canary == Counts(1, 0)


def test_a_pod_that_started_after_the_warm_up_counts_from_zero() -> None:
    """All its requests are the rollout's; of one that may be older only the growth is known."""
    answer = measured(triton(CANARY, ((15.0, 40.0),), pod="new"))
    assert counted(Source.TRITON, answer).canary == Counts()
    young = counted(Source.TRITON, answer, **{f"digits_{CANARY}_new": 9.0})
    assert young.canary == Counts(40, 0)


def test_a_process_scraped_by_two_jobs_is_refused() -> None:
    """It would square the evidence."""
    answer = measured(triton(CANARY, grown(4), job="a"), triton(CANARY, grown(4), job="b"))
    seen = count_window(Source.TRITON, answer, request(), begun_at=5.0, after=5.0, pods_started={})
    assert isinstance(seen, Unavailable)
    assert seen.why is UnavailableReason.DOUBLED
    assert f'pod="digits-{CANARY}-x"' in seen.message


def test_a_pod_that_came_back_at_another_address_is_not_doubled() -> None:
    """Its series follow each other and do not overlap."""
    before = triton(CANARY, ((-15.0, 3.0), (0.0, 3.0)), instance="10.0.0.1:8002")
    after = triton(CANARY, ((15.0, 1.0), (30.0, 2.0), (45.0, 9.0)), instance="10.0.0.2:8002")
    assert counted(Source.TRITON, measured(before, after)).canary == Counts(1, 0)


def test_an_error_seen_before_its_request_makes_up_a_request() -> None:
    """Envoy steps two counters for one gRPC error, and a scrape may come in between."""
    seen = counted(
        Source.ROUTER,
        measured(
            envoy(CANARY, grown(0), metric="grpc_total", port=8001),
            envoy(CANARY, grown(1), metric="grpc_13", port=8001),
        ),
    )
    assert seen.canary == Counts(1, 1)


def test_what_is_of_neither_revision_is_left_out() -> None:
    """A third revision's pods may still be running down."""
    other = triton("cccc3333", grown(9))
    nameless = series(grown(9), name="nv_inference_request_success")
    seen = counted(Source.TRITON, measured(other, nameless, triton(STABLE, grown(2))))
    assert (seen.canary, seen.stable) == (Counts(), Counts(2, 0))


def test_nothing_at_all_lets_the_window_stop_growing() -> None:
    """A source that is never scraped does not make every query longer."""
    seen = count_window(
        Source.TRITON,
        CounterSamples(()),
        request(now=5000.0, since=5.0),
        begun_at=5.0,
        after=5.0,
        pods_started={},
    )
    assert seen == WindowCounts(Counts(), Counts(), 4400.0, None, 0.0)
