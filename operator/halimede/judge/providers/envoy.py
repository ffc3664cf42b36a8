"""What Contour's and Envoy Gateway's proxies have in common: both are Envoy.

Measured with Envoy 1.40:

- A gRPC error is a response of class 2 to Envoy, so a gRPC cluster is judged by `grpc_<code>`.
  Envoy's own refusals there (no endpoint, no connection, time-out) count as `grpc_14` *and* as
  class 5; reading the gRPC family alone counts them once. Only an upstream that answers a gRPC
  call in plain HTTP is missed, and Triton never does.
- A counter of a response class or a gRPC code appears with its first response, whereas
  `upstream_rq_total` is there as soon as the cluster is: it shows that the proxy was scraped.

The family of `grpc_<code>` is there only where the filter `grpc_stats` is configured:
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/grpc_stats_filter
"""

from collections.abc import Container

from halimede.judge.deltas import Labelling
from halimede.judge.providers.provider import (
    GRPC_ERRORS,
    NOTHING,
    ONE_ERROR,
    ONE_FAILED_REQUEST,
    ONE_REQUEST,
    Labels,
)
from halimede.judge.reading import Counts

METRICS = (
    "envoy_cluster_upstream_rq_xx",
    "envoy_cluster_upstream_rq_total",
    "envoy_cluster_grpc_total",
    *(f"envoy_cluster_grpc_{code}" for code in GRPC_ERRORS),
)
GRPC_TOTAL = "envoy_cluster_grpc_total"
CLUSTER = "envoy_cluster_name"

LABELLING = Labelling(
    own=frozenset(
        {
            CLUSTER,
            "envoy_response_code_class",
            "envoy_grpc_bridge_method",
            "envoy_grpc_bridge_service",
        }
    ),
    outcomes=frozenset({"envoy_response_code_class"}),
)


def one_more(labels: Labels, grpc_clusters: Container[str]) -> Counts:
    """Say what one more in a cluster's counter means.

    Args:
        labels: The counter's.
        grpc_clusters: The clusters that are judged by gRPC codes, and not by response classes.
    """
    metric = labels.get("__name__", "")
    grpc = labels.get(CLUSTER, "") in grpc_clusters
    if metric == "envoy_cluster_upstream_rq_xx" and not grpc:
        failed = labels.get("envoy_response_code_class") == "5"
        return ONE_FAILED_REQUEST if failed else ONE_REQUEST
    if metric == GRPC_TOTAL and grpc:
        return ONE_REQUEST
    if metric.startswith("envoy_cluster_grpc_") and grpc:
        return ONE_ERROR
    return NOTHING
