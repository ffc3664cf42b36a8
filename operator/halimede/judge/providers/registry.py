"""All products whose counters can be read."""

from halimede.api.analysis import MetricsProvider
from halimede.api.sources import Source, SourceId
from halimede.judge.providers.client_errors import count_client_errors
from halimede.judge.providers.contour import CONTOUR
from halimede.judge.providers.envoy_gateway import ENVOY_GATEWAY
from halimede.judge.providers.ingress_nginx import INGRESS_NGINX
from halimede.judge.providers.istio import ISTIO
from halimede.judge.providers.latency import build_latency_provider
from halimede.judge.providers.provider import Provider
from halimede.judge.providers.traefik import TRAEFIK
from halimede.judge.providers.triton import TRITON
from halimede.judge.reading import MetricsRequest

ROUTERS = {
    MetricsProvider.CONTOUR: CONTOUR,
    MetricsProvider.ENVOY_GATEWAY: ENVOY_GATEWAY,
    MetricsProvider.ISTIO: ISTIO,
    MetricsProvider.TRAEFIK: TRAEFIK,
    MetricsProvider.INGRESS_NGINX: INGRESS_NGINX,
}


def find_provider(source: SourceId, request: MetricsRequest) -> Provider:
    """Return the provider of a source's counters."""
    if source == Source.TRITON:
        return TRITON
    router = ROUTERS[request.provider]
    if source == Source.ROUTER_CLIENT_ERRORS:
        return count_client_errors(router)
    return build_latency_provider(router) if source == Source.ROUTER_LATENCY else router
