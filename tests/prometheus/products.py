"""Counters as routers export them, and the labels that scraping adds.

The forms follow the sources named in the modules of `halimede.judge.providers`: labels, order
and values, with the names of a typical cluster.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from halimede.api.analysis import MetricsProvider
from tests.support.series import CANARY, STABLE

PLACES = {STABLE: 0, CANARY: 1}
Lines = Iterable[str]
"""Counters that grow together, by name and labels."""


@dataclass(frozen=True)
class Product:
    """The metrics of a router."""

    provider: MetricsProvider
    answered: Callable[[str, int], Lines]
    """The counters of an HTTP request that a revision answered with a status."""
    called: Callable[[str, int], Lines]
    """The counters of a gRPC call that a revision ended with a code."""
    left: Callable[[str], Lines]
    """The counters of an HTTP request to a revision whose client left before the response."""
    tells_grpc: bool
    """Whether gRPC errors are visible in the counters."""
    scraped: dict[str, str]
    """The labels that the scraper adds."""

    @property
    def page(self) -> str:
        """Return the page on which its counters are scraped."""
        return f"/{self.provider.lower()}"


def _envoy(rule: int, revision: str, status: int) -> Lines:
    cluster = f'envoy_cluster_name="httproute/ml/digits/rule/{rule}/backend/{PLACES[revision]}"'
    yield f"envoy_cluster_upstream_rq_total{{{cluster}}}"
    classed = f'envoy_response_code_class="{status // 100}",{cluster}'
    yield f"envoy_cluster_upstream_rq_xx{{{classed}}}"
    yield f'envoy_cluster_upstream_rq{{envoy_response_code="{status}",{cluster}}}'


def _envoy_left(revision: str) -> Lines:
    cluster = f'envoy_cluster_name="httproute/ml/digits/rule/1/backend/{PLACES[revision]}"'
    yield f"envoy_cluster_upstream_rq_total{{{cluster}}}"
    yield f"envoy_cluster_upstream_cx_destroy_local_with_active_rq{{{cluster}}}"


def _envoy_grpc(revision: str, code: int) -> Lines:
    yield from _envoy(0, revision, 200)
    labels = (
        'envoy_grpc_bridge_method="ModelInfer"',
        'envoy_grpc_bridge_service="inference.GRPCInferenceService"',
        f'envoy_cluster_name="httproute/ml/digits/rule/0/backend/{PLACES[revision]}"',
    )
    for what in (str(code), "total", "success" if code == 0 else "failure"):
        yield f"envoy_cluster_grpc_{what}{{{','.join(labels)}}}"


def _istio(revision: str, protocol: str, status: int, grpc: str, flags: str = "-") -> Lines:
    service = f"digits-{revision}"
    labels = {
        "reporter": "source",
        "source_workload": "public-istio",
        "source_canonical_service": "public-istio",
        "source_canonical_revision": "latest",
        "source_workload_namespace": "gateway-system",
        "source_principal": "spiffe://cluster.local/ns/gateway-system/sa/public-istio",
        "source_app": "public-istio",
        "source_version": "unknown",
        "source_cluster": "Kubernetes",
        "destination_workload": service,
        "destination_workload_namespace": "ml",
        "destination_principal": "unknown",
        "destination_app": "unknown",
        "destination_version": "unknown",
        "destination_service": f"{service}.ml.svc.cluster.local",
        "destination_canonical_service": "triton",
        "destination_canonical_revision": revision,
        "destination_service_name": service,
        "destination_service_namespace": "ml",
        "destination_cluster": "Kubernetes",
        "request_protocol": protocol,
        "response_code": str(status),
        "grpc_response_status": grpc,
        "response_flags": flags,
        "connection_security_policy": "unknown",
    }
    yield f"istio_requests_total{{{_written(labels)}}}"


def _traefik(revision: str, port: int, status: int) -> Lines:
    labels = {
        "code": str(status),
        "method": "POST",
        "protocol": "http",
        "service": f"ml-digits-{revision}-{port}@kubernetesgateway",
    }
    yield f"traefik_service_requests_total{{{_written(labels)}}}"


def _nginx(revision: str, suffix: str, status: int) -> Lines:
    port = 8001 if suffix else 8000
    labels = {
        "canary": f"ml-digits-{CANARY}-{port}" if revision == CANARY else "",
        "controller_class": "k8s.io/ingress-nginx",
        "controller_namespace": "ingress-nginx",
        "controller_pod": "ingress-nginx-controller-7c489dc7b7-ccrf6",
        "host": "digits.example.com",
        "ingress": f"digits{suffix}",
        "method": "POST",
        "namespace": "ml",
        "path": "/inference.GRPCInferenceService/ModelInfer" if suffix else "/v2/models",
        "service": "digits",
        "status": str(status),
    }
    yield f"nginx_ingress_controller_requests{{{_written(labels)}}}"


def _written(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


PRODUCTS = (
    Product(
        provider=MetricsProvider.ENVOY_GATEWAY,
        answered=lambda revision, status: _envoy(1, revision, status),
        called=_envoy_grpc,
        left=_envoy_left,
        tells_grpc=True,
        scraped={"instance": "10.0.0.1:19001", "pod": "envoy-public-6f9"},
    ),
    Product(
        provider=MetricsProvider.ISTIO,
        answered=lambda revision, status: _istio(revision, "http", status, ""),
        called=lambda revision, code: _istio(revision, "grpc", 200, str(code)),
        left=lambda revision: _istio(revision, "http", 0, "", "DC"),
        tells_grpc=True,
        scraped={"instance": "10.0.0.2:15090", "pod": "public-istio-5d9"},
    ),
    Product(
        provider=MetricsProvider.TRAEFIK,
        answered=lambda revision, status: _traefik(revision, 8000, status),
        called=lambda revision, _: _traefik(revision, 8001, 200),
        left=lambda revision: _traefik(revision, 8000, 499),
        tells_grpc=False,
        scraped={"instance": "10.0.0.3:9100", "service": "traefik-metrics"},
    ),
    Product(
        provider=MetricsProvider.INGRESS_NGINX,
        answered=lambda revision, status: _nginx(revision, "", status),
        called=lambda revision, _: _nginx(revision, "-grpc", 200),
        left=lambda revision: _nginx(revision, "", 499),
        tells_grpc=False,
        scraped={
            "instance": "10.0.0.4:10254",
            "namespace": "ingress-nginx",
            "service": "ingress-nginx-controller-metrics",
        },
    ),
)
REPLICATED = "/replicated"
"""A page that two replicas of Prometheus have scraped."""
APPLICATION = "/application"
"""Custom metrics."""
SCRAPED = [
    *((one.page, one.scraped) for one in PRODUCTS),
    *((REPLICATED, {"instance": "proxy", "prometheus_replica": name}) for name in ("a", "b")),
    (APPLICATION, {"instance": "evaluator"}),
]
"""The pages with the labels that the scraper adds."""
