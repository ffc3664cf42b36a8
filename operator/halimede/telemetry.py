"""The operator's own metrics, one constant each, served on `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram

RECONCILE_SECONDS = Histogram(
    "halimede_reconcile_seconds",
    "How long one pass over a ModelDeployment took.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUEUE_DEPTH = Gauge("halimede_queue_depth", "ModelDeployments that wait for a pass.")
ERRORS = Counter(
    "halimede_errors_total", "Passes and writes that failed, by kind of error.", ["error"]
)
WRITES = Counter(
    "halimede_writes_total",
    "Writes sent to the API server, by what was done to which kind.",
    ["verb", "kind"],
)
ROLLOUTS = Counter(
    "halimede_rollouts_total",
    "Rollouts that ended, by how.",
    ["namespace", "name", "outcome"],
)
FOREIGN_WRITES = Counter(
    "halimede_foreign_route_writes_total",
    "Times that somebody else changed the weights of a route.",
    ["namespace", "name"],
)
ROLLOUT_STATE = Gauge(
    "halimede_rollout_state",
    "1 for the state in which a rollout is.",
    ["namespace", "name", "state"],
)
ROLLOUT_WEIGHT = Gauge(
    "halimede_rollout_weight_percent",
    "Percentage of the requests that the route is asked to give the new revision.",
    ["namespace", "name"],
)
READY = Gauge(
    "halimede_model_ready",
    "1 if the ModelDeployment's Ready condition is True.",
    ["namespace", "name"],
)
OUTDATED = Gauge(
    "halimede_model_outdated",
    "1 if this version of the operator renders another revision from the spec than the target.",
    ["namespace", "name"],
)
LAST_EVENT = Gauge(
    "halimede_last_watch_event_timestamp_seconds", "When the last watch event arrived."
)
