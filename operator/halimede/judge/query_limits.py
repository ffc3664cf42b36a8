"""Limit queries to the series that the administrator allows."""

from halimede.api.query import UnusableQueryError
from halimede.api.sources import Source, SourceId
from halimede.judge.query_policy import CustomQueryScope, QueryPolicy
from halimede.judge.selectors import add_matchers

NAMESPACE = "namespace"
"""The label that Prometheus gives the series of a pod, by the usual scrape configurations."""
DISABLED = "queries of ModelDeployments are disabled"
CURE_FOR_DISABLED = (
    "remove it, or ask the administrator of the operator to change"
    " HALIMEDE_PROMETHEUS_CUSTOM_QUERIES (chart: operator.prometheus.customQueries)"
)


def limit_builtin(query: str, source: SourceId, policy: QueryPolicy) -> str:
    """Add the administrator's matchers to a built-in query for a source."""
    router = () if source == Source.TRITON else policy.router_matchers
    return add_matchers(query, {**dict(policy.matchers), **dict(router)})


def limit_custom(query: str, namespace: str, policy: QueryPolicy) -> str:
    """Limit a query that a user wrote, after rendering, to what its namespace may read.

    Raises:
        UnusableQueryError: It is not allowed, or cannot be limited.
    """
    match policy.custom:
        case CustomQueryScope.OFF:
            raise UnusableQueryError(DISABLED, CURE_FOR_DISABLED)
        case CustomQueryScope.NAMESPACED:
            return add_matchers(query, {NAMESPACE: namespace, **dict(policy.matchers)})
        case CustomQueryScope.FULL:
            return query
