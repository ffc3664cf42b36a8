"""How each router's series are read. Their form is documented in the modules."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from halimede.api.analysis import MetricsProvider
from halimede.api.reasons import UnavailableReason
from halimede.api.sources import Source
from halimede.judge.counts import WindowCounts, count_window
from halimede.judge.providers.registry import ROUTERS
from halimede.judge.queries import plan_counters
from halimede.judge.reading import CounterSamples, Counts, Series, Unavailable
from tests.support.series import CANARY, STABLE, Points, envoy, request, series

GREW = ((0.0, 100.0), (15.0, 110.0))
NEW = ((15.0, 3.0),)
EG, ISTIO = MetricsProvider.ENVOY_GATEWAY, MetricsProvider.ISTIO
TRAEFIK, NGINX = MetricsProvider.TRAEFIK, MetricsProvider.INGRESS_NGINX


def cluster(
    name: str, metric: str = "upstream_rq_xx", points: Points = GREW, **more: str
) -> Series:
    """Return a counter of Envoy Gateway's Envoy."""
    return series(
        points, name=f"envoy_cluster_{metric}", envoy_cluster_name=name, instance="e", **more
    )


def istio(service: str, points: Points = GREW, **more: str) -> Series:
    """Return a counter of Istio."""
    labels = {
        "reporter": "source",
        "source_workload": "public-istio",
        "destination_service_name": service,
        "destination_service_namespace": "ml",
        "request_protocol": "http",
        "response_code": "200",
        "response_flags": "-",
        "connection_security_policy": "unknown",
        "instance": "i:15090",
        "pod": "public-istio-7d9c",
    }
    return series(points, name="istio_requests_total", **(labels | more))


def traefik(service: str, points: Points = GREW, **more: str) -> Series:
    """Return a counter of Traefik."""
    labels = {"service": service, "code": "200", "method": "POST", "protocol": "http"}
    more = {"instance": "t"} | more
    return series(points, name="traefik_service_requests_total", **(labels | more))


def nginx(service: str, points: Points = GREW, **more: str) -> Series:
    """Return a counter of ingress-nginx."""
    labels = {
        "namespace": "ml",
        "ingress": "digits",
        "service": service,
        "canary": "",
        "status": "200",
        "method": "POST",
        "path": "/",
        "host": "digits.example.com",
        "controller_pod": "ingress-nginx-controller-x",
        "instance": "n:10254",
    }
    return series(points, name="nginx_ingress_controller_requests", **(labels | more))


def counted(
    provider: MetricsProvider, *answer: Series, source: Source = Source.ROUTER
) -> WindowCounts:
    """Return the counts of an answer since 5.0."""
    seen = count_window(
        source,
        CounterSamples(answer),
        request(now=20.0, since=5.0, provider=provider),
        begun_at=5.0,
        after=5.0,
        pods_started={},
    )
    assert isinstance(seen, WindowCounts)
    return seen


def test_envoy_gateway_is_read_by_the_places_in_the_route() -> None:
    """Rule 0 is gRPC's, rule 1 HTTP's; backend 0 is the stable revision."""
    seen = counted(
        EG,
        cluster("httproute/ml/digits/rule/1/backend/0", envoy_response_code_class="2"),
        cluster("httproute/ml/digits/rule/1/backend/1", envoy_response_code_class="2"),
        cluster("httproute/ml/digits/rule/1/backend/1", points=NEW, envoy_response_code_class="5"),
        cluster("httproute/ml/digits/rule/0/backend/1", envoy_response_code_class="2"),
        cluster("httproute/ml/digits/rule/1", envoy_response_code_class="2"),
    )
    assert (seen.canary, seen.stable) == (Counts(23, 3), Counts(10, 0))


def test_envoy_gateway_with_merged_backends_names_the_service() -> None:
    """Names with merged backends are read with or without the protocol."""
    seen = counted(
        EG,
        cluster(f"service/ml/digits-{CANARY}/8000", envoy_response_code_class="2"),
        cluster(f"service/ml/digits-{CANARY}/8001/grpc", envoy_response_code_class="5"),
        cluster(f"service/ml/digits-{STABLE}/8000/http", envoy_response_code_class="2"),
        cluster(f"service/other/digits-{STABLE}/8000", envoy_response_code_class="2"),
    )
    assert (seen.canary, seen.stable) == (Counts(20, 10), Counts(10, 0))


def test_envoy_gateways_grpc_codes_are_used_where_there_are_any() -> None:
    """Only a listener with a GRPCRoute has them; then each call counts once, by its code."""
    place = "httproute/ml/digits/rule/0/backend/1"
    method = {
        "envoy_grpc_bridge_service": "inference.GRPCInferenceService",
        "envoy_grpc_bridge_method": "ModelInfer",
    }
    seen = counted(
        EG,
        cluster(place, envoy_response_code_class="2"),
        cluster(place, points=NEW, envoy_response_code_class="5"),
        cluster(place, "grpc_total", **method),
        cluster(place, "grpc_13", NEW, **method),
    )
    assert seen.canary == Counts(10, 3)


def test_grpc_codes_do_not_silence_an_http_cluster() -> None:
    """A request that looks like gRPC on the HTTP port does not hide HTTP counts."""
    place = "httproute/ml/digits/rule/1/backend/1"
    seen = counted(
        EG, cluster(place, envoy_response_code_class="5"), cluster(place, "grpc_total", NEW)
    )
    assert seen.canary == Counts(10, 10)


@pytest.mark.parametrize("provider", [EG, NGINX])
def test_the_past_of_a_role_begins_with_the_last_promotion(provider: MetricsProvider) -> None:
    """Before it the series belonged to another revision, unless they name it."""
    promoted = request(now=5000.0, since=None, provider=provider, stable_since=4700.0)
    (query,) = plan_counters(Source.ROUTER, promoted).texts
    assert query.endswith("[240s]")
    (query,) = plan_counters(
        Source.ROUTER, request(now=5000.0, since=None, provider=ISTIO, stable_since=4700.0)
    ).texts
    assert query.endswith("[7200s]")


def test_istio_counts_http_by_code_and_grpc_by_status() -> None:
    """A gRPC error has code 200; without any response the code is 0."""
    new, grpc = f"digits-{CANARY}", {"request_protocol": "grpc"}
    seen = counted(
        ISTIO,
        istio(new),
        istio(new, NEW, response_code="503", response_flags="UH"),
        istio(new, NEW, response_code="0", response_flags="UC"),
        istio(new, NEW, response_code="404"),
        istio(new, grpc_response_status="0", **grpc),
        istio(new, NEW, grpc_response_status="13", **grpc),
        istio(new, NEW, grpc_response_status="3", **grpc),
        istio(f"digits-{STABLE}"),
        istio("digits"),
    )
    assert (seen.canary, seen.stable) == (Counts(35, 9), Counts(10, 0))


def test_an_istio_client_that_left_before_the_response_is_an_error() -> None:
    """The flag is `DC` or, with HTTP/2, `DR`; after the response has begun it is no error."""
    new = f"digits-{CANARY}"
    left = istio(new, NEW, response_code="0", response_flags="DC")
    reset = istio(new, NEW, response_code="0", response_flags="DR")
    later = istio(new, NEW, response_flags="DC")
    assert counted(ISTIO, istio(new), left, reset, later).canary == Counts(19, 6)


def test_one_istio_counter_can_reset_alone() -> None:
    """Istio drops idle counters, which must not reset the other counters."""
    new = f"digits-{CANARY}"
    rested = istio(new, ((0.0, 5.0), (15.0, 1.0)), response_code="503")
    assert counted(ISTIO, istio(new), rested).canary == Counts(11, 1)


@pytest.mark.parametrize(
    "service",
    [
        "ml-digits-{}-8000@kubernetesgateway",
        "httproute-ml-digits-gw-e-p-ep-web-1-0123456789-svc-ml-digits-{}-0@kubernetesgateway",
    ],
    ids=["up to 3.6", "3.7"],
)
def test_traefik_is_read_by_the_service_in_its_names(service: str) -> None:
    """A namespace whose name ends alike is another one; 499 is a client that left."""
    seen = counted(
        TRAEFIK,
        traefik(service.format(CANARY)),
        traefik(service.format(CANARY), NEW, code="502"),
        traefik(service.format(CANARY), NEW, code="499"),
        traefik("scraper", exported_service=service.format(STABLE)),
        traefik(f"team-ml-digits-{STABLE}-8000@kubernetesgateway"),
        traefik("ml-digits-8000@kubernetesgateway"),
    )
    assert (seen.canary, seen.stable) == (Counts(16, 6), Counts(10, 0))


def test_ingress_nginx_distinguishes_revisions_by_canary() -> None:
    """The label `service` is the main Ingress's even if the canary answered."""
    main, other = "digits", f"ml-digits-{CANARY}-8000"
    seen = counted(
        NGINX,
        nginx(main),
        nginx(main, NEW, status="503"),
        nginx(main, canary=other),
        nginx(main, NEW, canary=other, status="500"),
        nginx(main, NEW, canary=other, status="499"),
        nginx(main, NEW, canary=f"ml-digits-{CANARY}-8001", ingress="digits-grpc", status="5xx"),
    )
    assert (seen.canary, seen.stable) == (Counts(19, 9), Counts(13, 3))


def test_ingress_nginx_is_read_under_the_labels_of_a_scraper() -> None:
    """Its own labels are read if the scraper renamed them; other namespaces do not count."""
    seen = counted(
        NGINX,
        nginx(
            "controller-metrics",
            namespace="ingress-nginx",
            exported_namespace="ml",
            exported_service="digits",
            method="GET",
        ),
        nginx("digits", namespace="other", method="PUT"),
        nginx("else", method="PATCH"),
    )
    assert (seen.canary, seen.stable) == (Counts(), Counts(10, 0))


@pytest.mark.parametrize(
    ("provider", "one"),
    [
        (EG, cluster("httproute/ml/digits/rule/1/backend/1", envoy_response_code_class="2")),
        (ISTIO, istio(f"digits-{CANARY}")),
        (TRAEFIK, traefik(f"ml-digits-{CANARY}-8000@kubernetesgateway")),
        (NGINX, nginx("digits", canary=f"ml-digits-{CANARY}-8000")),
    ],
)
def test_replicas_of_prometheus_are_rejected(provider: MetricsProvider, one: Series) -> None:
    """Both have scraped the same proxy, so every request would count twice."""
    replicas = [
        Series({**one.labels, "prometheus_replica": name}, one.samples) for name in ("a", "b")
    ]
    seen = count_window(
        Source.ROUTER,
        CounterSamples(tuple(replicas)),
        request(provider=provider),
        begun_at=5.0,
        after=5.0,
        pods_started={},
    )
    assert isinstance(seen, Unavailable)
    assert seen.why is UnavailableReason.DOUBLED


def test_a_sidecar_that_is_scraped_on_two_ports_is_rejected() -> None:
    """Istio's metrics are on port 15090 and merged into 15020."""
    one, other = istio(f"digits-{CANARY}"), istio(f"digits-{CANARY}", instance="i:15020")
    seen = count_window(
        Source.ROUTER,
        CounterSamples((one, other)),
        request(provider=ISTIO),
        begun_at=5.0,
        after=5.0,
        pods_started={},
    )
    assert isinstance(seen, Unavailable)
    assert 'pod="public-istio-7d9c"' in seen.message


PLACE = "httproute/ml/digits/rule/{}/backend/1"


@pytest.mark.parametrize(
    ("provider", "answer"),
    [
        (
            MetricsProvider.CONTOUR,
            (
                envoy(CANARY, GREW, response="2"),
                envoy(CANARY, NEW, response="4"),
                envoy(CANARY, NEW, response="5"),
                envoy(CANARY, GREW, response="2", port=8001),
                envoy(CANARY, GREW, metric="grpc_total", port=8001),
                envoy(CANARY, NEW, metric="grpc_3", port=8001),
                envoy(CANARY, NEW, metric="grpc_13", port=8001),
                envoy(CANARY, NEW, metric="grpc_3"),
            ),
        ),
        (
            EG,
            (
                cluster(PLACE.format(1), envoy_response_code_class="2"),
                cluster(PLACE.format(1), points=NEW, envoy_response_code_class="4"),
                cluster(PLACE.format(1), points=NEW, envoy_response_code_class="5"),
                cluster(PLACE.format(0), envoy_response_code_class="2"),
                cluster(PLACE.format(0), "grpc_total"),
                cluster(PLACE.format(0), "grpc_5", NEW),
                cluster(PLACE.format(0), "grpc_14", NEW),
            ),
        ),
        (
            ISTIO,
            (
                istio(f"digits-{CANARY}"),
                istio(f"digits-{CANARY}", NEW, response_code="422"),
                istio(f"digits-{CANARY}", NEW, response_code="500"),
                istio(f"digits-{CANARY}", NEW, grpc_response_status="12"),
                istio(f"digits-{CANARY}", NEW, grpc_response_status="13"),
                istio(f"digits-{CANARY}", ((15.0, 4.0),), grpc_response_status="0"),
            ),
        ),
    ],
    ids=["Contour", "Envoy Gateway", "Istio"],
)
def test_client_errors_are_counted_by_status_and_by_code(
    provider: MetricsProvider, answer: tuple[Series, ...]
) -> None:
    """Of 26 requests three are client errors over HTTP, three over gRPC, and six are errors."""
    result = counted(provider, *answer, source=Source.ROUTER_CLIENT_ERRORS)
    assert result.canary == Counts(26, 6)
    assert counted(provider, *answer).canary == Counts(26, 6)


@pytest.mark.parametrize(
    ("provider", "answered"),
    [
        (
            TRAEFIK,
            lambda code, points: traefik(
                f"ml-digits-{CANARY}-8000@kubernetesgateway", points, code=code
            ),
        ),
        (
            NGINX,
            lambda code, points: nginx(
                "digits", points, status=code, canary=f"ml-digits-{CANARY}-8000"
            ),
        ),
    ],
    ids=["Traefik", "ingress-nginx"],
)
def test_a_client_that_left_is_no_client_error(
    provider: MetricsProvider, answered: Callable[[str, Points], Series]
) -> None:
    """499 is an error of the other kind; all other statuses 4xx are client errors."""
    answer = [answered(code, NEW) for code in ("400", "404", "499", "502")]
    answer.append(answered("200", GREW))
    result = counted(provider, *answer, source=Source.ROUTER_CLIENT_ERRORS)
    assert result.canary == Counts(22, 6)


@pytest.mark.parametrize("provider", [MetricsProvider.CONTOUR, EG])
def test_codes_of_client_errors_are_queried_on_demand(
    provider: MetricsProvider,
) -> None:
    """The same query returns the errors too."""
    ignored = request(provider=provider)
    asked = replace(ignored, client_errors=True)
    (query,) = plan_counters(Source.ROUTER, asked).texts
    assert "envoy_cluster_grpc_3|" in query
    assert plan_counters(Source.ROUTER_CLIENT_ERRORS, asked).texts == (query,)
    assert "envoy_cluster_grpc_3|" not in plan_counters(Source.ROUTER, ignored).texts[0]


@pytest.mark.parametrize("provider", list(ROUTERS))
def test_missing_parts_are_named_with_a_remedy(provider: MetricsProvider) -> None:
    """The message of missing counters includes a remedy."""
    message = ROUTERS[provider].missing_message(request(provider=provider))
    assert CANARY in message or "backend/1" in message
    assert "scrape" in message
    assert "spec.rollout.analysis.provider" in message
